"""Logs by Powertools' Logger: JSON lines that say which run, node, visit and attempt they are about.

Every logger below ``refluxo`` writes through it, and so does whatever a node gets from ``Logger()``: while a node is
executed its facts stand in each line. Of the data that goes through a run nothing is ever written here.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

from dispatcher.open_steps import OpenSteps
from dispatcher.shell_plugin import ShellPlugin

if TYPE_CHECKING:
    from engine import NodeEvent, Snapshot

_LOG: Final = logging.getLogger("refluxo.run")


class PowertoolsLogger(ShellPlugin):
    """Writes a line for each step and each turn of a run, and its facts into every line between.

    Args:
        level: of the loggers below ``refluxo``.
    """

    def __init__(self, level: str) -> None:
        self._logger = Logger(level=level, utc=True, use_rfc3339=True)
        logging.getLogger("refluxo").setLevel(level)
        copy_config_to_registered_loggers(self._logger, include={"refluxo"}, ignore_log_level=True)
        self._open: OpenSteps[dict[str, object]] = OpenSteps()

    def on_before_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        self._open.cut_off_before(event)
        facts = _facts(event)
        self._open.begin(event, facts)
        self._show(facts)

    def on_after_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        _LOG.info("step executed", extra={"duration_ms": event.duration_ms, "status": _status(event)})
        self._end(event)

    def on_node_error(self, event: NodeEvent) -> None:
        """See Plugin."""
        error_type = event.error.type if event.error is not None else None
        extra = {"duration_ms": event.duration_ms, "status": _status(event), "error_type": error_type}
        _LOG.warning("step failed", extra=extra)
        self._end(event)

    def on_workflow_start(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        _say("run started", snapshot)

    def on_workflow_pause(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        _say("run waits", snapshot)

    def on_workflow_complete(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        _say("run completed", snapshot)

    def on_workflow_fail(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        _say("run failed", snapshot, logging.WARNING)

    def on_workflow_cancel(self, snapshot: Snapshot) -> None:
        """See Plugin."""
        _say("run cancelled", snapshot)

    def on_invocation_end(self) -> None:
        """Lines between invocations are about no node."""
        self._open.take_all()
        self._show(None)

    def _end(self, event: NodeEvent) -> None:
        self._open.end(event)
        self._show(self._open.innermost)

    def _show(self, facts: dict[str, object] | None) -> None:
        self._logger.thread_safe_clear_keys()
        if facts is not None:
            self._logger.thread_safe_append_keys(**facts)


def _facts(event: NodeEvent) -> dict[str, object]:
    step = event.step
    return {
        **_facts_of_run(event.before),
        "node_id": step.node_id,
        "node_type": event.node_type,
        "visit": step.visit,
        "attempt": step.attempt,
    }


def _facts_of_run(snapshot: Snapshot) -> dict[str, object]:
    definition = snapshot.definition
    return {
        "workflow_id": snapshot.workflow_id,
        # One for a run and all that it starts: ids of children begin with their root's.
        "correlation_id": snapshot.workflow_id.partition("~")[0].partition("/")[0],
        "workflow": definition.name if definition is not None else None,
        "workflow_version": definition.version if definition is not None else None,
        "version": snapshot.version,
    }


def _status(event: NodeEvent) -> str | None:
    return event.after.status.value if event.after is not None else None


def _say(message: str, snapshot: Snapshot, level: int = logging.INFO) -> None:
    _LOG.log(level, message, extra={**_facts_of_run(snapshot), "status": snapshot.status.value})
