"""A caller over real HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, Final

SECONDS_MAX: Final = 20


def call(url: str, body: object = None, method: str | None = None) -> tuple[int, Any]:
    """Sends JSON and reads JSON: the status and the body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)  # noqa: S310  (our own address)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS_MAX) as response:  # noqa: S310
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
