"""Traces by Powertools' Tracer: in the trace that X-Ray makes of an invocation, a subsegment for each step.

Powertools switches itself off outside of Lambda and by ``POWERTOOLS_TRACE_DISABLED``. Its annotations are names and
numbers of the run; neither data nor the messages of errors go into a trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, cast

from aws_lambda_powertools import Tracer

from dispatcher.open_steps import OpenSteps
from dispatcher.shell_plugin import ShellPlugin

if TYPE_CHECKING:
    from engine import NodeEvent

_NAME_CHARACTERS_MAX: Final = 200
"""Length of a subsegment's name (X-Ray segment documents, ``name``)."""


class Subsegment(Protocol):
    """What is used of an X-Ray subsegment."""

    def put_annotation(self, key: str, value: str | int) -> None:
        """Adds a value that traces can be searched by."""
        ...

    def add_fault_flag(self) -> None:
        """Marks it as failed."""
        ...


class Recorder(Protocol):
    """What is used of the X-Ray recorder, which the type of Powertools' own does not tell."""

    def begin_subsegment(self, name: str) -> Subsegment | None:
        """Begins one within the current; None outside of a trace."""
        ...

    def current_subsegment(self) -> Subsegment | None:
        """The innermost that is open."""
        ...

    def end_subsegment(self) -> None:
        """Ends the innermost."""
        ...


class PowertoolsTracer(ShellPlugin):
    """Makes the subsegments. The libraries that nodes use are left as they are: patching them is a user's choice."""

    def __init__(self) -> None:
        tracer = Tracer(auto_patch=False)
        self._disabled = tracer.disabled
        self._recorder = cast("Recorder", tracer.provider)
        self._open: OpenSteps[Subsegment] = OpenSteps()

    def on_before_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        if self._disabled:
            return
        self._cut_off(*self._open.cut_off_before(event))
        subsegment = self._recorder.begin_subsegment(event.step.node_id[:_NAME_CHARACTERS_MAX])
        if subsegment is None:
            return  # there is no trace to be a part of
        definition = event.before.definition
        subsegment.put_annotation("workflow", definition.name if definition is not None else "")
        subsegment.put_annotation("workflow_id", event.step.workflow_id)
        subsegment.put_annotation("node_id", event.step.node_id)
        subsegment.put_annotation("node_type", event.node_type)
        subsegment.put_annotation("visit", event.step.visit)
        subsegment.put_annotation("attempt", event.step.attempt)
        self._open.begin(event, subsegment)

    def on_after_node_execution(self, event: NodeEvent) -> None:
        """See Plugin."""
        self._end(event)

    def on_node_error(self, event: NodeEvent) -> None:
        """See Plugin."""
        self._end(event, event.error.type if event.error is not None else "Error")

    def on_invocation_end(self) -> None:
        """See ShellPlugin."""
        self._cut_off(*self._open.take_all())

    def _end(self, event: NodeEvent, error_type: str | None = None) -> None:
        subsegment, cut_off = self._open.end(event)
        self._cut_off(*cut_off)
        if subsegment is None:
            return
        if error_type is not None:
            subsegment.put_annotation("error_type", error_type)
            subsegment.add_fault_flag()
        self._close(subsegment)

    def _cut_off(self, *subsegments: Subsegment) -> None:
        for subsegment in subsegments:
            subsegment.put_annotation("error_type", "CutOff")
            subsegment.add_fault_flag()
            self._close(subsegment)

    def _close(self, subsegment: Subsegment) -> None:
        """Closes a subsegment, and before it what its node has left open within it."""
        while (current := self._recorder.current_subsegment()) is not None:
            self._recorder.end_subsegment()
            if current is subsegment:
                return
