"""The one event loop of a process, for async executors called from code that has none."""

from __future__ import annotations

import contextvars
import inspect
import threading
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final

from engine.errors import EventLoopRunning

if TYPE_CHECKING:
    import asyncio

_runner: asyncio.Runner | None = None
_turn: Final = threading.Lock()


def run_awaitable(awaitable: Awaitable[object]) -> object:
    """Runs an async executor's result to its end, always on the same loop: clients bound to it stay usable.

    Threads take turns on it. What an executor sets in a context variable ends with it.

    Raises:
        EventLoopRunning: this thread runs an event loop already; ``execute_step_async`` is for such hosts.
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
        raise EventLoopRunning("an event loop is running in this thread: use execute_step_async")

    async def wait_for_it() -> object:
        return await awaitable

    with _turn:
        if _runner is None:
            _runner = asyncio.Runner()
        return _runner.run(wait_for_it(), context=contextvars.copy_context())


def is_cancelled() -> bool:
    """Whether somebody asked for the end of the task that runs now: that is to be obeyed, not recorded."""
    import asyncio  # noqa: PLC0415  (as above)

    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
