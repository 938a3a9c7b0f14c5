"""Every rule is needed: the protocol less one, and the recipe, fail; the model would notice if it let them pass."""

from __future__ import annotations

import pytest

from tests.model.checker import explore
from tests.model.program import Setting, Step
from tests.model.report import REPORT, trace
from tests.model.rules import PROTOCOL, Rules
from tests.model.scenarios import HOLD_STEPS, SCENARIOS, SIGNAL_REPEATED_TWO_WAITS, TIMEOUT, TWO_STEPS, Scenario
from tests.model.state import ENDED, START, Budget, State
from tests.model.weakenings import SIMPLIFICATIONS, WEAKENINGS
from tests.model.world import OWN, initial, successors


@pytest.mark.parametrize("name", WEAKENINGS)
def test_a_weakening_fails(name: str) -> None:
    """It breaks the property it is said to break, by the trace that the report shows; none is shorter."""
    weakening = WEAKENINGS[name]
    verdict = weakening.scenario.explore(weakening.rules)
    assert (verdict.broken, len(verdict.trace)) == (weakening.breaks, weakening.actions)
    assert trace(name, weakening, verdict) in REPORT.read_text(encoding="utf-8"), "python -m tests.model --write"


@pytest.mark.parametrize("name", SIMPLIFICATIONS)
def test_the_rule_is_what_was_missing(name: str) -> None:
    """In the same scenario the protocol holds, so the trace is the rule's own reason."""
    assert SIMPLIFICATIONS[name].rules != PROTOCOL
    scenario = SIMPLIFICATIONS[name].scenario
    if not SIMPLIFICATIONS[name].rules.sweep:
        # The missing rule is the sweep itself, which the protocol has here.
        assert scenario.sweep
    assert scenario.explore().broken == ""


@pytest.mark.parametrize(
    "scenario",
    [
        TWO_STEPS.with_faults(crash=1, duplicate=1, purge=1),
        SIGNAL_REPEATED_TWO_WAITS.with_faults(unsure=1),
        TIMEOUT.with_faults(crash=1),
        HOLD_STEPS.with_faults(crash=1),
    ],
    ids=["two steps", "signal", "timeout", "hold"],
)
def test_reducing_hides_nothing(scenario: Scenario) -> None:
    """The worlds that the reduction leaves out break no property either."""
    setting = Setting(program=scenario.steps, executions_per_fault=scenario.executions_per_fault)
    full = explore(setting, initial((START, *scenario.calls), scenario.budget))
    assert full.broken == ""
    assert full.states > scenario.explore().states


@pytest.mark.parametrize("choice", [0, -1])
def test_a_run_without_faults(choice: int) -> None:
    """Whoever goes first, each of two steps executes once: the model can do what it is about."""
    setting = Setting(program=(Step("work"), Step("work")), rules=Rules(sweep=False))
    state = initial((START,), Budget())
    labels = []
    while following := successors(setting, state):
        labels.append(following[choice].label)
        state = following[choice].state
    assert [label for label in labels if "executes" in label] == [
        "<version 0> is delivered: executes step 0",
        "<version 1> is delivered: executes step 1",
    ]
    assert state.head.status == ENDED
    assert (state.queue, state.workers) == ((), ())


def test_time_passes_only_when_nothing_else_can_happen() -> None:
    """A tick waits for every message, worker, call and sweep that is ready; a slip of time is a fault, and counted."""
    setting = Setting(program=(Step("sleep", 2),), rules=PROTOCOL)
    start = initial((START,), Budget(slow=1))
    seen: set[State] = {start}
    waiting = [start]
    while waiting:
        state = waiting.pop()
        own = [successor for successor in successors(setting, state) if successor.nature == OWN]
        if any(successor.label == "a tick passes" for successor in own):
            assert (state.workers, state.calls, state.looks) == ((), (), ())
        for successor in successors(setting, state):
            if successor.state not in seen:
                seen.add(successor.state)
                waiting.append(successor.state)
    assert any(state.budget.slow == 0 for state in seen)


def test_every_kind_of_fault_is_somewhere() -> None:
    """The scenarios together have each fault in their budgets, most of them several at once."""
    for fault in Budget._fields:
        assert any(getattr(scenario.budget, fault) for scenario in SCENARIOS.values()), fault
    assert max(sum(scenario.budget) for scenario in SCENARIOS.values()) >= 5
