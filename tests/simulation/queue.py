"""The queue that all processes share: at least once, in no order, with a dead-letter queue behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from dispatcher.limits import DELAY_SECONDS_MAX
from dispatcher.messages import Message, encode
from tests.simulation.clock import MINUTE, VirtualClock

VISIBILITY_MS: Final = 3 * MINUTE
RECEIVES_MAX: Final = 5
"""As the stack sets them."""


@dataclass(slots=True)
class Queued:
    """A message on the queue, and when it is visible."""

    message_id: str
    body: str
    sent_at_ms: int
    visible_at_ms: int
    receives: int = 0
    in_flight: bool = False


@dataclass(slots=True)
class SimulatedQueue:
    """The messages there are. ``sent`` counts all there have been, ``bodies`` keeps each text that was ever sent."""

    clock: VirtualClock
    messages: list[Queued] = field(default_factory=list)
    dead_letters: list[Queued] = field(default_factory=list)
    parked: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0
    bodies: set[str] = field(default_factory=set)

    def send(self, message: Message, *, delay_seconds: int = 0, group: str | None = None) -> None:  # noqa: ARG002
        """See StepQueue."""
        assert 0 <= delay_seconds <= DELAY_SECONDS_MAX, f"SQS does not take a delay of {delay_seconds} s"
        self.put(encode(message), delay_ms=delay_seconds * 1000)

    def put(self, body: str, *, delay_ms: int = 0) -> None:
        """Puts anything on the queue."""
        self.sent += 1
        self.bodies.add(body)
        now = self.clock.now_ms
        self.messages.append(Queued(f"m{self.sent}", body, now, now + delay_ms))

    def park(self, body: str, *, reason: str) -> None:
        """See StepQueue."""
        self.bodies.add(body)
        self.parked.append((body, reason))

    def oldest_age_ms(self) -> int:
        """See StepQueue. As CloudWatch has it: of all that are not deleted; a delayed one counts from its time."""
        now = self.clock.now_ms
        return max((now - m.sent_at_ms for m in self.messages if m.visible_at_ms <= now or m.in_flight), default=0)

    def check(self) -> None:
        """See StepQueue."""

    def visible(self) -> list[Queued]:
        """Messages that can be received now, the longest visible first."""
        now = self.clock.now_ms
        found = [message for message in self.messages if message.visible_at_ms <= now]
        for message in [m for m in found if m.receives >= RECEIVES_MAX]:
            found.remove(message)
            self.messages.remove(message)
            message.receives, message.in_flight = 0, False
            self.dead_letters.append(message)
        return sorted(found, key=lambda message: message.visible_at_ms)

    def received(self, message: Queued) -> None:
        """Hides a message that is being delivered."""
        message.receives += 1
        message.in_flight = True
        message.visible_at_ms = self.clock.now_ms + VISIBILITY_MS

    def acknowledged(self, message: Queued) -> None:
        """Deletes a message; one that is gone already is no error."""
        if message in self.messages:
            self.messages.remove(message)

    def next_visible_at_ms(self) -> int | None:
        """When the next message can be received; None when there is none."""
        return min((message.visible_at_ms for message in self.messages), default=None)
