"""A gate before the emulator: it counts what changes, and can be closed while its state is copied.

The product keeps what a crash at any moment leaves behind consistent, so a copy is good if it is of one moment. While
the gate is closed, requests wait, but for those of whoever closed it. It knows no service but the two that are kept.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEEPER: Final = "refluxo-keeper"
"""In the user agent of requests that pass a closed gate."""

_TABLE_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})
_OBJECT_WRITES: Final = frozenset({"PUT", "POST", "DELETE"})


class Gate:
    """A WSGI application before another."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False
        self._writes = 0

    @property
    def writes(self) -> int:
        """Requests so far that may have changed the table or a bucket."""
        return self._writes

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Nobody but the keeper is inside while the block lasts."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """See PEP 3333."""
        if not _is_write(environ) or KEEPER in environ.get("HTTP_USER_AGENT", ""):
            return self._application(environ, start_response)
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._inside += 1
            self._writes += 1
        try:
            return self._application(environ, start_response)
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()


def _is_write(environ: WSGIEnvironment) -> bool:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        service, _, operation = target.partition(".")
        return service.startswith("DynamoDB") and operation in _TABLE_WRITES
    # S3 alone names its operation by method and path.
    return environ.get("REQUEST_METHOD") in _OBJECT_WRITES
