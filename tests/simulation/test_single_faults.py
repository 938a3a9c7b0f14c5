"""Each single fault, at each boundary, over the corpus: no run is lost, and none comes to another end."""

from __future__ import annotations

import itertools

import pytest

from tests.simulation.play import Broken, Plan, judge_cost, single_faults
from tests.simulation.programs import CASES, CORPUS

_CHUNKS = 24
_PROGRAMS = [program for program in (*CORPUS, *CASES) if program.name != "huge"]
"""A value for the bucket takes longer to make than all else: test_coverage.py has it."""


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_every_single_fault(chunk: int) -> None:
    """Whatever goes wrong once, the run ends as it would have, soon, and everything on the way keeps the rules."""
    failed = []
    for program in _PROGRAMS[chunk::_CHUNKS]:
        calm = Plan(program.name).play()
        plans = single_faults(program)
        # One step of a hundred is as good as another: of those, every ninth plan.
        for plan in itertools.islice(plans, 0, None, 9 if program.name == "long chain" else 1):
            try:
                judge_cost(plan, plan.play(), calm)
            except Broken as broken:
                failed.append(str(broken))
    assert not failed, f"{len(failed)} plans break a rule; the first:\n{failed[0]}"
