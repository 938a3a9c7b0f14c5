"""The queue that carries the runs, and where a message goes that nobody could handle."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.acknowledgement import acknowledge

VISIBILITY_TIMEOUTS: Final = 6
"""Visibility timeout in timeouts of the consuming function: AWS asks for at least six (Lambda, SQS sources),
so that a throttled batch can be tried again before it shows up a second time."""

RECEIVES_MAX: Final = 5
"""Receives before a message goes to the dead letters: at least five (AWS), for throttling counts as one."""

DEAD_LETTER_RECEIVES_MAX: Final = 2 * RECEIVES_MAX
"""Receives before a dead letter is parked. It comes with those it has had, and SQS does not say that they are counted
afresh: with fewer it might be parked before anybody saw it."""

QUEUE_RETENTION: Final = Duration.days(4)

DEAD_LETTER_RETENTION: Final = Duration.days(14)
"""SQS's longest, and longer than the queue's: a dead letter keeps the time of its first enqueue."""


class RunQueues(Construct):
    """``queue``, ``dead_letters`` behind it, and ``parked`` behind those, for what only a person can judge.

    The first two have a function each; ``consumer_timeout`` and ``dead_letter_timeout`` are those of the functions.
    Standard queues: FIFO ones take no delay per message, which is what timers and retries are made of.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        consumer_timeout: Duration,
        dead_letter_timeout: Duration,
        encryption_key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._encryption_key = encryption_key
        self.parked = self._queue("Parked", retention=DEAD_LETTER_RETENTION)
        self.dead_letters = self._queue(
            "DeadLetters",
            retention=DEAD_LETTER_RETENTION,
            consumer_timeout=dead_letter_timeout,
            behind=sqs.DeadLetterQueue(queue=self.parked, max_receive_count=DEAD_LETTER_RECEIVES_MAX),
        )
        self.queue = self._queue(
            "Queue",
            retention=QUEUE_RETENTION,
            consumer_timeout=consumer_timeout,
            behind=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=RECEIVES_MAX),
        )
        last = "It is what messages are redriven to in the end: an alarm calls a person to it."
        acknowledge(self.parked, "Serverless-SQSRedrivePolicy", last)
        acknowledge(self.parked, "AwsSolutions-SQS3", last)

    def _queue(
        self,
        construct_id: str,
        *,
        retention: Duration,
        consumer_timeout: Duration | None = None,
        behind: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            construct_id,
            retention_period=retention,
            visibility_timeout=_visibility_timeout(consumer_timeout) if consumer_timeout else None,
            encryption=sqs.QueueEncryption.KMS if self._encryption_key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=self._encryption_key,
            enforce_ssl=True,
            dead_letter_queue=behind,
        )


def _visibility_timeout(consumer_timeout: Duration) -> Duration:
    return Duration.seconds(VISIBILITY_TIMEOUTS * int(consumer_timeout.to_seconds()))
