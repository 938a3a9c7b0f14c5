"""Requests on condition: ETags, ``If-Match`` and ``If-None-Match`` (RFC 9110, section 13)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from dispatcher.http.request import Response, empty_response, with_header

# More than any version has; int() refuses a few thousand.
_DIGITS_MAX: Final = 16

_TAG: Final = re.compile(r'\s*(?:W/)?"([^"]*)"\s*(?:,|$)')


def etag(version: object) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def unless_known(response: Response, tag: str, headers: Mapping[str, str]) -> Response:
    """An answer to a reader: 304 without a body when the reader has that version already."""
    known = headers.get("if-none-match")
    if known is not None and matches(known, tag):
        return empty_response(304, {"etag": tag, "cache-control": "no-store"})
    return with_header(response, "etag", tag)


def run_versions(headers: Mapping[str, str]) -> frozenset[int] | None:
    """The versions of a run that ``If-Match`` names; None when any will do."""
    condition = headers.get("if-match")
    if condition is None or condition.strip() == "*":
        return None
    # The ETag of a held run has the hold behind its version.
    heads = (tag.partition("-")[0] for tag in _TAG.findall(condition))
    return frozenset(int(head) for head in heads if head.isascii() and head.isdecimal() and len(head) < _DIGITS_MAX)


def matches(condition: str, tag: str | None) -> bool:
    """Whether a list of ETags, or ``*``, holds that of what is there; None is there for nothing.

    Weak ones count as strong: a version is a version, however its JSON is written.
    """
    if tag is None:
        return False
    return condition.strip() == "*" or tag.strip('"') in _TAG.findall(condition)
