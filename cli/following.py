"""Looks at a run again and again until it has ended: each state once, and no more traffic than that takes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final

from cli.failures import UNREACHABLE
from cli.http_client import ENDED, Answer, Api, ApiError, run_path

_FAILURES_MAX: Final = 5
"""Looks in a row that may fail before the service counts as gone: it may be being deployed."""


def versions_of(
    api: Api, run_id: str, *, interval_seconds: float, patience_seconds: float | None = None
) -> Iterator[Mapping[str, object]]:
    """The run as it is now, then each time it has changed, until it has ended or patience has.

    Raises:
        ApiError: there is no such run, or the service stays away.
    """
    deadline = None if patience_seconds is None else time.monotonic() + patience_seconds
    etag: str | None = None
    shown: Mapping[str, object] | None = None
    while True:
        answer = _look(api, run_id, etag, interval_seconds)
        # A proxy may have taken the ETag away; then the document itself tells whether it is new.
        if answer.status != HTTPStatus.NOT_MODIFIED and answer.document != shown:
            etag, shown = answer.headers.get("etag"), answer.document
            yield answer.document
            if answer.document.get("status") in ENDED:
                return
        if deadline is not None and time.monotonic() >= deadline:
            return
        time.sleep(interval_seconds)


def _look(api: Api, run_id: str, etag: str | None, interval_seconds: float) -> Answer:
    for _ in range(_FAILURES_MAX - 1):
        try:
            return api.get(run_path(run_id), etag=etag)
        except ApiError as error:
            # The first look tells a wrong address at once.
            if error.exit_code != UNREACHABLE or etag is None:
                raise
            time.sleep(interval_seconds)
    return api.get(run_path(run_id), etag=etag)
