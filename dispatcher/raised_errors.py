"""What a node's own code has raised, told in the log with its traceback: the run keeps type and message alone.

An error of the product's own says what it means, and one that was raised in our files is not helped by their lines.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Final

from engine import Snapshot
from engine.errors import RefluxoError

_LOG: Final = logging.getLogger("refluxo.dispatch")

_OUR_PACKAGES: Final = frozenset({"engine", "dispatcher"})


def tell_raised(error: BaseException, snapshot: Snapshot) -> None:
    """Logs an error that a step's executor has raised, unless it is one of the product's own."""
    traceback = None if isinstance(error, RefluxoError) else _in_their_code(error.__traceback__)
    if traceback is not None:
        facts = {
            "workflow_id": snapshot.workflow_id,
            "version": snapshot.version,
            "node_id": snapshot.current_node_id,
        }
        _LOG.warning("a node raised", extra=facts, exc_info=(type(error), error, traceback))


def _in_their_code(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is none of ours."""
    while traceback is not None:
        package, _, _ = str(traceback.tb_frame.f_globals.get("__name__", "")).partition(".")
        if package not in _OUR_PACKAGES:
            break
        traceback = traceback.tb_next
    return traceback
