"""What happened in a simulation, event by event, to be read by whoever has to understand a failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from dispatcher.head import Head
from engine import Snapshot
from tests.simulation.faults import Boundary, Fault

_BEGINNING_SHOWN = 200
_END_SHOWN = 300


class Event(NamedTuple):
    """One thing that happened. ``detail`` is asked only when somebody reads it."""

    at_ms: int
    depth: int
    process: str
    what: str
    detail: Callable[[], str] | str
    effect: object
    number: int | None = None
    fault: Fault | None = None


@dataclass(slots=True)
class Timeline:
    """Events in the order they happened, the boundaries that were met, and the faults that happened at them."""

    beginning_ms: int
    events: list[Event] = field(default_factory=list)
    boundaries: list[tuple[Boundary, Fault | None]] = field(default_factory=list)
    faults: list[tuple[int, Fault]] = field(default_factory=list)

    def note(self, event: Event) -> None:
        """Adds an event."""
        self.events.append(event)

    def met(self, boundary: Boundary, fault: Fault | None) -> None:
        """Adds a boundary, and what happened there."""
        if fault is not None:
            self.faults.append((len(self.boundaries), fault))
        self.boundaries.append((boundary, fault))

    def __str__(self) -> str:
        events = self.events
        if len(events) <= _BEGINNING_SHOWN + _END_SHOWN:
            return "\n".join(map(self._line, events))
        left_out = len(events) - _BEGINNING_SHOWN - _END_SHOWN
        return "\n".join(
            [
                *map(self._line, events[:_BEGINNING_SHOWN]),
                f"... {left_out} events ...",
                *map(self._line, events[-_END_SHOWN:]),
            ]
        )

    def _line(self, event: Event) -> str:
        number = "" if event.number is None else str(event.number)
        fault = "" if event.fault is None else f"  ** {event.fault.value} **"
        detail = _short(event.detail if isinstance(event.detail, str) else event.detail())
        effect = "" if event.effect is None else f" -> {_short(event.effect)}"
        seconds = (event.at_ms - self.beginning_ms) / 1000
        indent = "  " * event.depth
        return f"{seconds:12.3f} {number:>5} {indent}{event.process:<8} {event.what} {detail}{effect}{fault}"


_WIDTH = 110


def _short(effect: object) -> str:
    match effect:
        case str():
            text = effect
        case Head(snapshot=snapshot) as head:
            text = f"{brief(snapshot)}{', held' if head.hold is not None else ''}"
        case Snapshot():
            text = brief(effect)
        case _:
            text = repr(effect)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."


def brief(snapshot: Snapshot) -> str:
    """A snapshot in a few words."""
    return f"v{snapshot.version} {snapshot.status.value} at {snapshot.current_node_id}"
