"""Sends again what the queue lost when the last stack stopped: the table outlives it, the messages do not.

The sweep would do so too, but only once its grace has passed. Who has a message already gets a second one, which does
nothing: that is the product's own promise.
"""

from __future__ import annotations

import logging
from typing import Final

from dispatcher.bootstrap import App
from dispatcher.limits import SWEEP_MARKS_PER_PAGE
from dispatcher.ports import DueMark
from dispatcher.table_schema import DUE_SHARDS

_LOG: Final = logging.getLogger("refluxo.local")

_ALL_TIME_MS: Final = 10**15


def requeue(app: App) -> int:
    """Does for each run in motion what its head calls for. How many runs that were.

    A run that has no due mark is at rest, and waits for somebody outside.
    """
    return sum(_requeue_shard(app, shard) for shard in range(DUE_SHARDS))


def _requeue_shard(app: App, shard: int) -> int:
    done, after = 0, None
    while marks := _page(app, shard, after):
        done += sum(_requeue_run(app, mark.workflow_id) for mark in marks)
        after = marks[-1]
    return done


def _page(app: App, shard: int, after: DueMark | None) -> list[DueMark]:
    store = app.adapters.store
    return list(store.due_marks(shard, until_ms=_ALL_TIME_MS, limit=SWEEP_MARKS_PER_PAGE, after=after))


def _requeue_run(app: App, workflow_id: str) -> bool:
    try:
        head = app.adapters.store.load(workflow_id)
        if head is None or head.snapshot.status.terminal:
            return False
        app.effects.perform(head)
        if head.far and head.hold is None:
            # The sweep may have sent its message already, which moved the mark: that message is gone too.
            app.effects.send_later(head)
    except Exception:  # noqa: BLE001  (one run's trouble is not another's; the sweep comes back to it)
        _LOG.exception("left for the sweep", extra={"workflow_id": workflow_id})
        return False
    return True
