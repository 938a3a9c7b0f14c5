"""The tempting simplifications, and the recipe: where each fails first. Their shortest traces are in report.txt."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from tests.model.checker import NEVER_QUIET, RUN_LOST
from tests.model.delivery import (
    EXECUTED_EARLY,
    EXECUTED_TOO_OFTEN,
    FALSELY_CRASHED,
    HELD_RUN_MOVED,
    HISTORY_FORKED,
    NO_CAUSE,
    ONCE_TWICE,
    OVERTAKEN_BY_TIMEOUT,
    PAYLOAD_LOST,
    TAKEN_TWICE,
)
from tests.model.rules import RECIPE, Rules
from tests.model.scenarios import (
    AT_MOST_ONCE,
    DEADLY,
    FAR_RETRY,
    FAR_SLEEP,
    HOLD_SLEEP,
    HOLD_STEPS,
    REPLY,
    RETRY,
    SIGNAL,
    SIGNAL_BESIDE_ANOTHER,
    SIGNAL_REPEATED_TWO_WAITS,
    TIMEOUT,
    TWO_STEPS,
    Scenario,
)


class Weakening(NamedTuple):
    """Rules that are not enough: the scenario that shows it, the property that fails, and in how many actions."""

    rules: Rules
    scenario: Scenario
    breaks: str
    actions: int


RECIPES: Final[dict[str, Weakening]] = {
    "the recipe, and a message is delivered twice": Weakening(
        RECIPE, TWO_STEPS.with_faults(duplicate=1), HISTORY_FORKED, 8
    ),
    "the recipe, and a process dies between saving and sending": Weakening(
        RECIPE, FAR_RETRY.with_faults(crash=1), EXECUTED_EARLY, 8
    ),
    "the recipe, and a retry lies beyond the queue's reach": Weakening(RECIPE, FAR_RETRY, EXECUTED_EARLY, 11),
    "the recipe, and a webhook meets the step that will wait for it": Weakening(RECIPE, SIGNAL, HISTORY_FORKED, 10),
    "the recipe, and a step kills its process": Weakening(RECIPE, DEADLY, NEVER_QUIET, 10),
}
"""The published recipe, with one fault or none."""

SIMPLIFICATIONS: Final[dict[str, Weakening]] = {
    "save without a condition": Weakening(
        Rules(compare_and_swap=False), TWO_STEPS.with_faults(duplicate=1), HISTORY_FORKED, 8
    ),
    "pausing and failing do not raise the version": Weakening(
        Rules(every_transition_counts=False), SIGNAL.with_faults(duplicate=1), HISTORY_FORKED, 8
    ),
    "send, then commit": Weakening(Rules(commit_before_send=False), TWO_STEPS.without_sweep(), RUN_LOST, 8),
    "acknowledge, then send": Weakening(
        Rules(send_before_acknowledge=False), TWO_STEPS.without_sweep().with_faults(crash=1), RUN_LOST, 6
    ),
    "every stale message is dropped, whoever committed": Weakening(
        Rules(stale_sends="none"), TWO_STEPS.without_sweep().with_faults(crash=1), RUN_LOST, 8
    ),
    "a failed condition means that another has won": Weakening(
        Rules(knows_own_write=False), TWO_STEPS.without_sweep().with_faults(unsure=1), RUN_LOST, 6
    ),
    "a timer is cut to the longest delay": Weakening(
        Rules(early_waits=False), FAR_RETRY.without_sweep(), EXECUTED_EARLY, 11
    ),
    "an operator's message is taken for the timer's": Weakening(
        Rules(early_waits=False), HOLD_SLEEP, EXECUTED_EARLY, 10
    ),
    "a timer beyond the queue's reach is kept by queue and mark": Weakening(
        Rules(far_timers="both"), FAR_SLEEP, EXECUTED_TOO_OFTEN, 22
    ),
    "any message wakes a waiting run": Weakening(Rules(wait_needs_cause=False), SIGNAL_BESIDE_ANOTHER, NO_CAUSE, 9),
    "a payload is given to the first attempt alone": Weakening(Rules(pending_stays=False), REPLY, PAYLOAD_LOST, 16),
    "the timer wins when it fires": Weakening(
        Rules(in_time_wins=False), TIMEOUT.with_faults(crash=1), OVERTAKEN_BY_TIMEOUT, 13
    ),
    "a signal is removed from the inbox after the commit": Weakening(
        Rules(taking="removed after"), SIGNAL_REPEATED_TWO_WAITS.with_faults(crash=1), TAKEN_TWICE, 22
    ),
    "a signal is removed from the inbox before the commit": Weakening(
        Rules(taking="removed before"), SIGNAL.with_faults(crash=1), RUN_LOST, 17
    ),
    "a repeated signal is put into the inbox again": Weakening(
        Rules(signal_dedupe=False), SIGNAL_REPEATED_TWO_WAITS, TAKEN_TWICE, 18
    ),
    "a run that pauses does not look into its inbox": Weakening(
        Rules(looks_after_pausing=False), SIGNAL.without_sweep(), RUN_LOST, 10
    ),
    "a signal sets no mark": Weakening(Rules(signal_marks=False), SIGNAL.with_faults(crash=1), RUN_LOST, 13),
    "a signal leaves a mark that is early enough": Weakening(
        Rules(calls_lower_mark="not below", removal_needs="version and mark"), SIGNAL.with_faults(crash=1), RUN_LOST, 13
    ),
    "the sweep removes a mark although a signal has come": Weakening(
        Rules(removal_needs="version and mark"), SIGNAL_BESIDE_ANOTHER.with_faults(crash=1), RUN_LOST, 17
    ),
    "the sweep removes a mark on condition of the version alone": Weakening(
        Rules(removal_needs="version"), SIGNAL.with_faults(crash=1), RUN_LOST, 13
    ),
    "the sweep does not look into the inbox": Weakening(
        Rules(sweep_reads_inbox=False), SIGNAL.with_faults(crash=1), RUN_LOST, 13
    ),
    "the sweep removes the mark, then sends": Weakening(
        Rules(mark_before_send=False), FAR_SLEEP.with_faults(crash=1), RUN_LOST, 15
    ),
    "the sweep gives no grace": Weakening(Rules(grace=False), RETRY.with_faults(crash=1), EXECUTED_TOO_OFTEN, 16),
    "no sweep: redelivery repairs everything": Weakening(
        Rules(sweep=False), TWO_STEPS.with_faults(crash=1, duplicate=1), RUN_LOST, 9
    ),
    "a commit does not look for a hold": Weakening(Rules(commit_sees_hold=False), HOLD_STEPS, HELD_RUN_MOVED, 7),
    "only commits look for a hold": Weakening(Rules(delivery_sees_hold=False), HOLD_STEPS, HELD_RUN_MOVED, 5),
    "an at-most-once step writes no claim": Weakening(
        Rules(claims="none"), AT_MOST_ONCE.with_faults(crash=1), ONCE_TWICE, 7
    ),
    "a claim that has run out is free": Weakening(
        Rules(claims="execute again"), AT_MOST_ONCE.with_faults(crash=1), ONCE_TWICE, 12
    ),
    "a redelivery goes on under its own claim": Weakening(
        Rules(claims="redelivery goes on"),
        replace(AT_MOST_ONCE, received_max=1).with_faults(crash=1),
        ONCE_TWICE,
        8,
    ),
    "the receive count says that a step crashes": Weakening(
        Rules(crash_count="receive count"), DEADLY.with_faults(throttle=2), FALSELY_CRASHED, 6
    ),
    "nobody counts crashes": Weakening(Rules(crash_count="none"), DEADLY.without_sweep(), NEVER_QUIET, 10),
}
"""The protocol less one rule."""

WEAKENINGS: Final = {**RECIPES, **SIMPLIFICATIONS}
