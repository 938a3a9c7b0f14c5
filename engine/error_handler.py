"""The error handler port: whether a failed step is tried again, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from engine.outcome import StepError
from engine.retry import Resolve, RetryPolicy, select
from engine.snapshot import Snapshot

if TYPE_CHECKING:
    import random


class StepFailure(NamedTuple):
    """A failed execution.

    Args:
        snapshot: the run before it.
        error: what went wrong.
        policies: the node's retry policies, ordered.
        counts: failures each policy has answered before in this visit.
        resolve: turns a policy's number or expression into a value.
        make_rng: gives the source of jitter, when it is needed.
    """

    snapshot: Snapshot
    error: StepError
    policies: Sequence[RetryPolicy]
    counts: tuple[int, ...]
    resolve: Resolve
    make_rng: Callable[[], random.Random]

    @property
    def attempt(self) -> int:
        """Number of the attempt that failed; 1 is the first."""
        return self.snapshot.attempt


class RetryAfter(NamedTuple):
    """Try again after a time. ``counts``: what to remember of the policies; empty for a handler without them."""

    wait_ms: int
    counts: tuple[int, ...] = ()


class ErrorHandler(Protocol):
    """Decides what becomes of a failure."""

    def handle(self, failure: StepFailure) -> RetryAfter | None:
        """When to try again, or None to give up: a catch edge is taken then, or the run fails.

        Raises:
            Exception: whatever it raises, the step fails with InvalidRetryPolicy, which tells both errors.
        """
        ...


class PolicyErrorHandler:
    """The default: the node's retry policies, in order; the first about the error decides.

    Its wait is no shorter than what the error itself asks for, which its own limits do not shorten: whoever is asked
    too early only says the same again.
    """

    def handle(self, failure: StepFailure) -> RetryAfter | None:
        """See ErrorHandler."""
        selected = select(failure.policies, failure.counts, failure.error, failure.resolve)
        if selected is None:
            return None
        index, policy = selected
        counts = _counted(failure.counts, index)
        wait_ms = policy.wait_ms(counts[index], rng=failure.make_rng(), resolve=failure.resolve)
        # A single policy's count is the number of attempts, which the snapshot has already, unless an operator's
        # retry began it anew.
        known = len(failure.policies) == 1 and counts == (failure.attempt,)
        return RetryAfter(max(wait_ms, failure.error.retry_after_ms), () if known else counts)


def _counted(counts: tuple[int, ...], index: int) -> tuple[int, ...]:
    padded = [*counts, *([0] * (index + 1 - len(counts)))]
    padded[index] += 1
    return tuple(padded)
