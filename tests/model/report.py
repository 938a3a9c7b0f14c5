"""The report: what the exploration of each scenario came to, and each weakening's shortest trace.

``report.txt`` holds it without the times; a test compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.model.checker import Verdict
from tests.model.scenarios import Scenario
from tests.model.weakenings import Weakening

REPORT: Final = Path(__file__).with_name("report.txt")


def row(name: str, scenario: Scenario, verdict: Verdict) -> str:
    """A scenario and its verdict, in one line."""
    faults = ", ".join(f"{count} {fault}" for fault, count in scenario.budget._asdict().items() if count)
    what = f"{verdict.states:>7} states, depth {verdict.depth:>2}: {verdict.broken or 'all properties hold'}"
    return f"{name:<44} {faults or 'no fault':<42} {what}"


def trace(name: str, weakening: Weakening, verdict: Verdict) -> str:
    """A weakening and how it fails, in numbered lines."""
    faults = [f"{count} {fault}" for fault, count in weakening.scenario.budget._asdict().items() if count]
    lines = [f"{name}: breaks «{verdict.broken}»", f"    ({', '.join(faults) or 'no fault'})"]
    lines.extend(f"    {number:>2}. {action}" for number, action in enumerate(verdict.trace, start=1))
    return "\n".join(lines)
