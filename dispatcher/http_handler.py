"""Entry point of the front-door function: requests from API Gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dispatcher import bootstrap

if TYPE_CHECKING:
    # For the annotation alone: the API is built when the first request comes.
    from dispatcher.http.api import RemainingTime


def handler(event: Mapping[str, object], context: RemainingTime | None) -> dict[str, object]:
    """Answers one request."""
    return handle_request(bootstrap.app(), event, context)


def handle_request(app: bootstrap.App, event: Mapping[str, object], context: RemainingTime | None) -> dict[str, object]:
    """As :func:`handler`, over a given app."""
    with app.invocation():
        return app.http_api.handle(event, context)
