"""What the queue has given up, after as many deliveries as it makes: sent again, or parked.

A message comes here because a step crashed its function each time, or because deliveries were throttled or met an
outage. It is looked at as the dispatcher would; where that would execute, this sends. A crashing step ends all the
same, for its tries are counted in the head. What nobody can act on is parked, which is what the alarm watches.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from dispatcher.errors import MalformedMessage, Terminal
from dispatcher.gathering import Gathering
from dispatcher.messages import Delivery, decode
from dispatcher.ports import StepQueue

_LOG: Final = logging.getLogger("refluxo.dead_letters")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """Handles dead letters."""

    gathering: Gathering
    queue: StepQueue

    def handle(self, message_id: str, body: str) -> None:
        """Handles one. To return is to acknowledge it; to raise is to have it delivered again."""
        try:
            message = decode(body)
            work = self.gathering.gather(Delivery(message_id, 1, message))
        except (MalformedMessage, Terminal) as hopeless:
            _LOG.error("parked", extra={"message_id": message_id, "reason": str(hopeless)})
            self.queue.park(body, reason=f"{type(hopeless).__name__}: {hopeless}")
            return
        if work is not None:
            _LOG.warning("sent again", extra={"workflow_id": message.workflow_id, "version": work.head.version})
            self.queue.send(message, group=work.head.snapshot.tenant)
