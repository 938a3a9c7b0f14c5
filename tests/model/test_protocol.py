"""The protocol keeps its promises in every world of every scenario, and the report says how many worlds that are."""

from __future__ import annotations

import pytest

from tests.model.checker import Verdict
from tests.model.report import REPORT, row
from tests.model.scenarios import FAULT_FREE, REDELIVERY_ALONE, SCENARIOS, Scenario


def _check(name: str, scenario: Scenario) -> None:
    verdict = scenario.explore()
    assert (verdict.broken, verdict.trace) == ("", ())
    _is_reported(name, scenario, verdict)


def _is_reported(name: str, scenario: Scenario, verdict: Verdict) -> None:
    lines = REPORT.read_text(encoding="utf-8").splitlines()
    assert row(name, scenario, verdict) in lines, "python -m tests.model --write"


@pytest.mark.parametrize("name", SCENARIOS)
def test_any_combination_of_faults(name: str) -> None:
    """Whatever fails, whenever it does: every property holds, and the run ends or rests for somebody outside."""
    _check(name, SCENARIOS[name])


@pytest.mark.parametrize("name", FAULT_FREE)
def test_without_faults(name: str) -> None:
    """Each step executes exactly once, but for what calls from outside account for."""
    _check(name, FAULT_FREE[name])


@pytest.mark.parametrize("name", REDELIVERY_ALONE)
def test_one_fault_needs_no_sweep(name: str) -> None:
    """A single fault is repaired by the redelivery of the same message."""
    _check(name, REDELIVERY_ALONE[name])
