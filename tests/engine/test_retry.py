"""Retry policies: how often, how long, for which errors; documented attempts are executed attempts."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import RetryPolicy, Status
from engine.errors import InvalidInput
from engine.json_value import JsonObject
from engine.outcome import StepError
from engine.retry import NEVER_RETRIED, select
from tests.engine.one_node import NOW_MS, engine_of, first_step, result_of

YEAR_MS = 365 * 24 * 3600 * 1000
PROPERTY = settings(derandomize=True, deadline=None, max_examples=150)


def plain(value: object) -> object:
    """Resolves what is a number already."""
    return value


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(1, 12))
def test_documented_attempts_are_executed_attempts(max_attempts: int) -> None:
    """A step that always fails is executed ``max_attempts`` times, the first included, and fails the run then."""
    executions: list[int] = []

    def always(_data: object, step: Any) -> None:
        executions.append(step.attempt)
        raise OSError

    engine = engine_of(always, retry_policy=RetryPolicy(max_attempts, interval=1))
    snapshot = first_step(engine)
    while snapshot.status is Status.ERROR:
        snapshot = engine.execute_step(snapshot, now_ms=NOW_MS)
    assert executions == list(range(1, max_attempts + 1))
    assert (snapshot.status, len(snapshot.context["it"])) == (Status.FAILED, max_attempts)


@PROPERTY
@given(
    interval=st.integers(0, 10**9),
    rate=st.floats(0, 1e6),
    cap=st.none() | st.integers(0, 10**9),
    attempt=st.integers(1, 3000),
)
def test_a_growing_wait_stays_within_its_cap(interval: int, rate: float, cap: int | None, attempt: int) -> None:
    """After attempt n the wait is ``interval * rate ** (n - 1)``, never above the cap nor above a year."""
    policy = RetryPolicy(5, interval, backoff="exponential", rate=rate, max_interval=cap)
    wait_ms = policy.wait_ms(attempt, rng=random.Random(0))  # noqa: S311  (repeatable)
    assert 0 <= wait_ms <= min(YEAR_MS, YEAR_MS if cap is None else cap)
    if attempt < 5 and rate < 10 and interval < 1000 and cap is None:
        assert wait_ms == round(interval * rate ** (attempt - 1))


@PROPERTY
@given(interval=st.integers(0, 10**7), attempt=st.integers(1, 50), seed=st.integers(0, 1000))
def test_full_jitter_lies_between_nothing_and_the_wait(interval: int, attempt: int, seed: int) -> None:
    """Full jitter draws from the given generator alone, evenly from 0 to the wait without it."""
    policy = RetryPolicy(5, interval, backoff="exponential", jitter="full", max_interval=10**8)
    calm = RetryPolicy(5, interval, backoff="exponential", max_interval=10**8)
    wait_ms = policy.wait_ms(attempt, rng=random.Random(seed))  # noqa: S311  (repeatable)
    assert wait_ms == policy.wait_ms(attempt, rng=random.Random(seed))  # noqa: S311  (repeatable)
    assert 0 <= wait_ms <= calm.wait_ms(attempt, rng=random.Random(0))  # noqa: S311  (repeatable)


def test_full_jitter_reaches_the_whole_range() -> None:
    """Over many draws both ends of the range are met: it is not a wait with a little noise."""
    policy, rng = RetryPolicy(5, 1000, jitter="full"), random.Random(7)  # noqa: S311  (repeatable)
    drawn = [policy.wait_ms(1, rng=rng) for _ in range(500)]
    assert min(drawn) < 50
    assert max(drawn) > 950


@pytest.mark.parametrize("attempt", [1, 2, 1025, 5000])
def test_no_interval_means_no_wait_however_often(attempt: int) -> None:
    """Nothing times any factor is nothing, also where the factor is beyond what a float holds."""
    policy = RetryPolicy(9999, 0, backoff="exponential")
    assert policy.wait_ms(attempt, rng=random.Random(0)) == 0  # noqa: S311  (repeatable)


def test_durations_and_error_classes_are_stored_as_the_wire_has_them() -> None:
    """A timedelta becomes milliseconds and a class its name, so that a policy equals the JSON it prints."""
    policy = RetryPolicy(
        3, timedelta(seconds=2), max_interval=timedelta(minutes=1), retry_on=(OSError,), give_up_on="KeyError"
    )
    assert policy.to_json() == {
        "maxAttempts": 3,
        "interval": 2000,
        "maxInterval": 60_000,
        "retryOn": ["OSError"],
        "giveUpOn": ["KeyError"],
    }


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"max_attempts": 0}, "maxAttempts"),
        ({"max_attempts": True}, "maxAttempts"),
        ({"max_attempts": 2.5}, "maxAttempts"),
        ({"interval": -1}, "interval"),
        ({"interval": 1.5}, "interval"),
        ({"interval": None}, "interval"),
        ({"interval": timedelta(days=-1)}, "interval"),
        ({"max_interval": -1}, "maxInterval"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": float("inf")}, "rate"),
        ({"backoff": "linear"}, "backoff"),
        ({"jitter": "some"}, "jitter"),
        ({"retry_on": 5}, "error types"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_where_it_is_written(fields: dict[str, Any], named: str) -> None:
    """The mistake is raised at construction and names the field."""
    with pytest.raises(ValueError, match=named):
        RetryPolicy(**({"max_attempts": 3, "interval": 10} | fields))


@pytest.mark.parametrize(
    ("error", "wanted", "given_up", "matches"),
    [
        (TimeoutError(), (), (), True),
        (TimeoutError(), ("OSError",), (), True),
        (TimeoutError(), ("Exception",), (), True),
        (TimeoutError(), ("ValueError",), (), False),
        (TimeoutError(), ("OSError",), ("TimeoutError",), False),
        (TimeoutError(), (), ("OSError",), False),
    ],
)
def test_an_error_is_matched_by_its_type_or_a_base(
    error: Exception, wanted: tuple[str, ...], given_up: tuple[str, ...], *, matches: bool
) -> None:
    """``retry_on`` and ``give_up_on`` know an error by any of its bases; giving up wins."""
    policy = RetryPolicy(2, 1, retry_on=wanted, give_up_on=given_up)
    assert policy.matches(StepError.of(error)) is matches


def test_the_first_policy_about_an_error_decides() -> None:
    """An exhausted first match is final: a later, more patient policy is not asked."""
    policies = (RetryPolicy(2, 1, retry_on=("OSError",)), RetryPolicy(9, 2))
    error = StepError.of(TimeoutError())
    assert select(policies, (), error, plain) == (0, policies[0])
    assert select(policies, (1,), error, plain) is None
    assert select(policies, (1,), StepError.of(KeyError()), plain) == (1, policies[1])


@pytest.mark.parametrize("name", sorted(NEVER_RETRIED))
def test_errors_of_definition_and_data_are_never_retried(name: str) -> None:
    """The same step would fail in the same way, so no policy is asked."""
    assert select((RetryPolicy(9, 1),), (), StepError.named(name, ""), plain) is None


def test_a_failure_that_repeats_itself_is_executed_once() -> None:
    """Never retried means one execution, whatever the policy says."""

    def refuse(_data: object) -> None:
        raise InvalidInput("no")

    snapshot = first_step(engine_of(refuse, retry_policy=RetryPolicy(9, 1)))
    assert (snapshot.status, len(snapshot.context["it"])) == (Status.FAILED, 1)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"maxAttempts": "{{ 'many' }}", "interval": 1}, "maxAttempts is a str"),
        ({"maxAttempts": 3, "interval": "{{ 0 - 1 }}"}, "interval is -1"),
        ({"maxAttempts": 3, "interval": 10**400}, "interval is an integer too large"),
        ({"maxAttempts": 3, "interval": "{{ 1 / 0 }}"}, "Infinity"),
        ({"maxAttempts": 3, "interval": 1, "maxInterval": "{{ null }}"}, "maxInterval is a NoneType"),
    ],
)
def test_a_policy_that_cannot_be_worked_out_fails_the_step_by_name(policy: JsonObject, said: str) -> None:
    """The step fails for good, with what is wrong with the policy and with the step's own error beside it."""

    def fail(_data: object) -> None:
        raise OSError("disk full")

    snapshot = first_step(engine_of(fail, policy={"retry": policy}))
    error = result_of(snapshot)
    assert (snapshot.status, error.error_type) == (Status.FAILED, "InvalidRetryPolicy")
    assert error.error is not None
    assert said in error.error
    assert "OSError: disk full" in error.error


class HttpError(Exception):
    """What core:http's errors derive from."""


class HttpRejected(HttpError):
    """An answer to what was sent: the same would be answered again."""


@pytest.mark.parametrize(
    ("policy", "retried"),
    [
        ({}, False),
        ({"give_up_on": "KeyError"}, False),
        ({"retry_on": "HttpRejected"}, True),
        ({"retry_on": ["KeyError", "HttpError"]}, True),
        ({"retry_on": "Exception"}, True),
        ({"retry_on": "HttpError", "give_up_on": "HttpRejected"}, False),
        ({"retry_on": "KeyError"}, False),
    ],
)
def test_a_rejection_is_retried_by_a_policy_that_names_it(policy: Any, *, retried: bool) -> None:
    """Itself or what it derives from; one about everything is not about this."""
    error = StepError.of(HttpRejected("404"))
    assert (select([RetryPolicy(3, 1, **policy)], (), error, plain) is not None) is retried


def test_a_list_goes_on_to_the_policy_that_names_a_rejection() -> None:
    """The one about everything is passed over."""
    policies = [RetryPolicy(3, 1), RetryPolicy(2, 5, retry_on="HttpRejected")]
    assert select(policies, (), StepError.of(HttpRejected("404")), plain) == (1, policies[1])
