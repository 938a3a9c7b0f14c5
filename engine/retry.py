"""Retry policies: which failures are tried again, how often and after how long.

Owns the arithmetic and the matching. It refuses to wait: a wait is a time in the snapshot, and the shell's
business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from engine.naming import camel_case
from engine.outcome import StepError

if TYPE_CHECKING:
    import random

NEVER_RETRIED = frozenset(
    {
        "InvalidInput",
        "InvalidOutput",
        "PayloadTooLarge",
        "UnmatchedHandle",
        "ExpressionError",
        "ExpressionBudgetExceeded",
        "UnknownNodeType",
        "NeedsHost",
        "Interrupted",
        "HttpRefused",
        "HttpTooLarge",
    }
)
"""Errors of the definition or of the data, with which the same step would fail again; and Interrupted, of a step that
must not be executed twice."""

RETRIED_WHEN_NAMED = frozenset({"HttpRejected"})
"""Errors that a policy about every error is not about: the answer to the same request would be the same. Whoever
knows better names them in ``retry_on``."""


class _Strict:
    """Has pydantic take a number as it is; said through its hook, so that retries do without importing pydantic."""

    def __get_pydantic_core_schema__(self, source: object, handler: Callable[[object], dict[str, Any]]) -> object:
        """The schema of the annotated type, made strict."""
        return handler(source) | {"strict": True}


_STRICT = _Strict()

Duration: TypeAlias = Annotated[int, _STRICT] | str | Annotated[timedelta, _STRICT]
"""Milliseconds, a timedelta, or an expression that gives milliseconds; strict, for else pydantic takes 1.5 for a
timedelta, which counts seconds."""

Resolve: TypeAlias = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when a failed step is executed again.

    Args:
        max_attempts: executions in all, the first included.
        interval: wait before the second execution, in milliseconds, or a timedelta.
        backoff: ``exponential`` multiplies the wait by ``rate`` after each attempt.
        rate: the factor; the wait after attempt n is ``interval * rate ** (n - 1)``.
        max_interval: cap on the wait before jitter.
        jitter: ``full`` draws the wait evenly from 0 to the computed one (AWS Architecture Blog,
            "Exponential Backoff And Jitter", 2015).
        retry_on: only errors of these types; none given means any.
        give_up_on: never errors of these types; wins over ``retry_on``.

    Numbers may be expressions. A failure matches a type by its own name or by that of any of its bases.
    """

    max_attempts: Annotated[int, _STRICT] | str
    interval: Duration
    backoff: Literal["fixed", "exponential"] = "fixed"
    rate: Annotated[float, _STRICT] | str = 2.0
    max_interval: Duration | None = None
    jitter: Literal["none", "full"] = "none"
    retry_on: Sequence[str | type[BaseException]] | str | type[BaseException] = ()
    give_up_on: Sequence[str | type[BaseException]] | str | type[BaseException] = ()

    # How pydantic reads one from a definition, told without importing it.
    __pydantic_config__: ClassVar[Mapping[str, object]] = {
        "alias_generator": camel_case,
        "validate_by_name": True,
        "validate_by_alias": True,
        "extra": "forbid",
    }

    def __post_init__(self) -> None:
        _check_number("max_attempts", self.max_attempts, whole=True)
        if self.max_attempts == 0:
            raise ValueError(f"maxAttempts is {self.max_attempts!r}; it counts executions, the first included")
        for name in ("interval", "max_interval"):
            value = getattr(self, name)
            if isinstance(value, timedelta):
                value = round(value / timedelta(milliseconds=1))
                object.__setattr__(self, name, value)
            if value is not None or name == "interval":
                _check_number(name, value, whole=True)
        _check_number("rate", self.rate, whole=False)
        if self.backoff not in {"fixed", "exponential"}:
            raise ValueError(f"backoff is {self.backoff!r}; it must be 'fixed' or 'exponential'")
        if self.jitter not in {"none", "full"}:
            raise ValueError(f"jitter is {self.jitter!r}; it must be 'none' or 'full'")
        object.__setattr__(self, "retry_on", _names(self.retry_on))
        object.__setattr__(self, "give_up_on", _names(self.give_up_on))

    def matches(self, error: StepError) -> bool:
        """Says whether this policy is about that error."""
        if any(name in error.lineage for name in _names(self.give_up_on)):
            return False
        wanted = _names(self.retry_on)
        if not wanted:
            return error.type not in RETRIED_WHEN_NAMED
        return any(name in error.lineage for name in wanted)

    def wait_ms(self, attempt: int, *, rng: random.Random, resolve: Resolve = lambda value: value) -> int:
        """Wait after the given attempt (1 is the first), in milliseconds.

        Raises:
            ValueError: an expression gave something that is not a number.
        """
        wait = _number(resolve(self.interval), "interval")
        cap = None if self.max_interval is None else _number(resolve(self.max_interval), "maxInterval")
        if self.backoff == "exponential" and wait > 0:
            rate = _number(resolve(self.rate), "rate")
            try:
                wait *= rate ** (attempt - 1)
            except OverflowError:
                wait = _WAIT_MS_MAX
        wait = min(wait, _WAIT_MS_MAX if cap is None else cap, _WAIT_MS_MAX)
        if self.jitter == "full":
            wait = rng.uniform(0, wait)
        return round(wait)

    def attempts_max(self, resolve: Resolve = lambda value: value) -> int:
        """Executions in all that this policy allows."""
        return int(_number(resolve(self.max_attempts), "maxAttempts"))

    def to_json(self) -> Mapping[str, object]:
        """The policy as definitions write it; what is left at its default is left out."""
        names = {
            "maxAttempts": self.max_attempts,
            "interval": self.interval,
            "backoff": self.backoff if self.backoff != "fixed" else None,
            "rate": self.rate if self.rate != 2.0 else None,  # noqa: PLR2004  (the default above)
            "maxInterval": self.max_interval,
            "jitter": self.jitter if self.jitter != "none" else None,
            "retryOn": list(_names(self.retry_on)) or None,
            "giveUpOn": list(_names(self.give_up_on)) or None,
        }
        return {name: value for name, value in names.items() if value is not None}


def _check_number(name: str, value: object, *, whole: bool) -> None:
    if isinstance(value, str):
        return  # An expression.
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if not 0 <= number < math.inf or (whole and not isinstance(number, int)):
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"{camel_case(name)} is {value!r}; it must be {kind} of 0 or more")


def _names(errors: object) -> tuple[str, ...]:
    if isinstance(errors, str | type):
        errors = (errors,)
    if not isinstance(errors, Sequence):
        raise ValueError(f"{errors!r} must be error types or their names")  # noqa: TRY004  (a fault of the document)
    return tuple(error.__name__ if isinstance(error, type) else str(error) for error in errors)


# A year: longer waits are almost surely a mistake in a rate, and a float near its end is not a time.
_WAIT_MS_MAX = 365 * 24 * 3600 * 1000.0


def _number(value: object, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        # Not quoted: an expression may have read a secret, and errors are stored.
        kind = type(value).__name__
        raise ValueError(f"retry policy: {field} is a {kind}; it must be a number of 0 or more")  # noqa: TRY004
    if value < 0:
        raise ValueError(f"retry policy: {field} is {value}; it must be a number of 0 or more")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"retry policy: {field} is an integer too large for a number") from None


def select(
    policies: Sequence[RetryPolicy], counts: Sequence[int], error: StepError, resolve: Resolve
) -> tuple[int, RetryPolicy] | None:
    """The first policy about this error, if it allows one more execution.

    Args:
        policies: ordered; the first match decides, as in Step Functions' ``Retry``.
        counts: failures each policy has already answered in this visit.
        error: what went wrong.
        resolve: turns a number or an expression into a number.

    Returns:
        The index and the policy, or None when the step has failed for good.
    """
    if error.type in NEVER_RETRIED:
        return None
    for index, policy in enumerate(policies):
        if policy.matches(error):
            failures = (counts[index] if index < len(counts) else 0) + 1
            return (index, policy) if failures < policy.attempts_max(resolve) else None
    return None
