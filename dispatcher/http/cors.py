"""Which web pages may call the API: the CORS headers of every answer, and the answer to a preflight.

Browsers ask, and browsers enforce it; it lets nobody in whom the authorizer keeps out. Cookies are never asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dispatcher.http.request import Response, headers_of
from dispatcher.limits import PREFLIGHT_SECONDS

ANY_ORIGIN: Final = "*"

_EXPOSED: Final = "ETag, Location, Retry-After, Allow"

# What our own routes read, and what a signer of AWS requests or the bearer of a token adds.
_ALLOWED: Final = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "X-Amz-Content-Sha256, X-Amz-Date, X-Amz-Security-Token"
)


class Cors:
    """``origins``: those of the pages that may call, or ``*``; with none the answers say nothing of CORS."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset(origins)

    def applied(self, response: Response, headers: Mapping[str, str]) -> Response:
        """An answer with what a browser is to know of it. ``headers``: the request's."""
        if not self._origins:
            return response
        origin = headers.get("origin")
        # Said to everybody, for a cache must not give one page what was meant for another.
        told = {**headers_of(response), "vary": "Origin"}
        if ANY_ORIGIN in self._origins:
            told["access-control-allow-origin"] = ANY_ORIGIN
        elif origin in self._origins:
            told["access-control-allow-origin"] = str(origin)
        else:
            return {**response, "headers": told}
        told["access-control-expose-headers"] = _EXPOSED
        return {**response, "headers": told}

    def preflight(self, methods: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        """What a browser that asks first is told beside ``Allow``; nothing unless it is a preflight."""
        if not self._origins or "access-control-request-method" not in headers:
            return {}
        return {
            "access-control-allow-methods": methods,
            "access-control-allow-headers": _ALLOWED,
            "access-control-max-age": str(PREFLIGHT_SECONDS),
        }
