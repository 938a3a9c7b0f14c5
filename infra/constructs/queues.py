"""The queue that carries the runs, and where a message goes that nobody could handle."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

VISIBILITY_TIMEOUTS: Final = 6
"""Visibility timeout in timeouts of the consuming function: AWS asks for at least six (Lambda, SQS sources),
so that a throttled batch can be tried again before it shows up a second time."""

RECEIVES_MAX: Final = 5
"""Receives before a message goes to the dead letters: at least five (AWS), for throttling counts as one."""

QUEUE_RETENTION: Final = Duration.days(4)

DEAD_LETTER_RETENTION: Final = Duration.days(14)
"""SQS's longest, and longer than the queue's: a dead letter keeps the time of its first enqueue."""


class RunQueues(Construct):
    """``queue``, its dead letters behind it, and ``parked`` behind those, for what only a person can judge.

    Standard queues: FIFO ones take no delay per message, which is what timers and retries are made of.
    """

    def __init__(self, scope: Construct, construct_id: str, *, consumer_timeout: Duration) -> None:
        super().__init__(scope, construct_id)
        visibility_timeout = Duration.seconds(VISIBILITY_TIMEOUTS * int(consumer_timeout.to_seconds()))
        self.parked = self._queue("Parked", retention=DEAD_LETTER_RETENTION)
        dead_letters = self._queue(
            "DeadLetters",
            retention=DEAD_LETTER_RETENTION,
            visibility_timeout=visibility_timeout,
            behind=self.parked,
        )
        self.queue = self._queue(
            "Queue", retention=QUEUE_RETENTION, visibility_timeout=visibility_timeout, behind=dead_letters
        )

    def _queue(
        self,
        construct_id: str,
        *,
        retention: Duration,
        visibility_timeout: Duration | None = None,
        behind: sqs.Queue | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            construct_id,
            retention_period=retention,
            visibility_timeout=visibility_timeout,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            dead_letter_queue=_redrive_to(behind) if behind else None,
        )


def _redrive_to(queue: sqs.Queue) -> sqs.DeadLetterQueue:
    return sqs.DeadLetterQueue(queue=queue, max_receive_count=RECEIVES_MAX)
