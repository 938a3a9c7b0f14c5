"""The time of one call, kept whatever the call waits for."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from threading import Lock, Timer
from typing import Final, Self

_NEXT_TO_NOTHING_SECONDS: Final = 0.005


class TimeLimit:
    """The time of a whole call, look-up, redirects and bodies included; used as a ``with`` block.

    A limit per read would never end a server that sends a byte now and then. So a timer shuts the socket in use when
    the time is over, and whatever waits for it fails at once.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._ended = False
        self._ends_at = time.monotonic() + seconds
        self._timer = Timer(max(seconds, 0), self._end)
        self._timer.daemon = True
        self._lock = Lock()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    @property
    def over(self) -> bool:
        """Whether the time is over: the timer has said so, or is about to."""
        return self._ended or self._ends_at - time.monotonic() <= _NEXT_TO_NOTHING_SECONDS

    @property
    def left_seconds(self) -> float:
        """What is left, never quite nothing: 0 would mean no limit to a socket."""
        return max(self._ends_at - time.monotonic(), _NEXT_TO_NOTHING_SECONDS)

    def watch(self, used: socket.socket | None) -> None:
        """This socket is in use from now on."""
        with self._lock:
            self._socket = used
            if self._ended:
                self._shut()

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # closed already
                # The plain one: that of a TLS socket takes its state away from under whoever is reading.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
