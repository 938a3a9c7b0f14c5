"""The loop's fixtures, for calls that are made by the whole dispatcher."""

from __future__ import annotations

from tests.dispatcher.conftest import clients, moto, new_loop, observer, tap, time

__all__ = ["clients", "moto", "new_loop", "observer", "tap", "time"]
