"""Entry point of the front-door function: HTTP API events, version 2.0."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher import bootstrap


def handler(event: Mapping[str, object], _context: object) -> dict[str, object]:
    """Answers one request."""
    return bootstrap.app().http_api.handle(event)
