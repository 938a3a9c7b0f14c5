"""The one event loop of a process, for async executors called from code that has none."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

_runner: asyncio.Runner | None = None


def run_awaitable(awaitable: Awaitable[object]) -> object:
    """Runs an async executor's result to its end, always on the same loop: clients bound to it stay usable.

    Raises:
        RuntimeError: this thread runs an event loop already; ``execute_step_async`` is for such hosts.
    """
    global _runner  # noqa: PLW0603  (one loop a process)
    import asyncio  # noqa: PLC0415  (22 ms that only async executors pay)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        raise RuntimeError("an event loop is running in this thread: use execute_step_async")
    if _runner is None:
        _runner = asyncio.Runner()

    async def wait_for_it() -> object:
        return await awaitable

    return _runner.run(wait_for_it())
