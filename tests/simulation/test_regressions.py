"""Plans and seeds that once broke a rule, each with what it found. They are played again for ever."""

from __future__ import annotations

import pytest

from tests.simulation.faults import Fault, Planned
from tests.simulation.play import Plan, judge_cost

_PLANS = (
    # A fork was made while its source was being removed: it lived on, and what it referred to was gone.
    Plan("forked and removed", (Planned(23, Fault.CALLER),)),
    # The same, one call later: the pin was recorded after the removal had looked for pins.
    Plan("forked and removed", (Planned(24, Fault.CALLER),)),
    # A release whose answer was lost sent nothing when it was asked for again: the sweep found the run minutes later.
    Plan("held between steps", (Planned(16, Fault.REPEATED),)),
    Plan("held between steps", (Planned(16, Fault.DIE_AFTER),)),
    Plan("held between steps", (Planned(17, Fault.DIE_BEFORE),)),
)


@pytest.mark.parametrize("plan", _PLANS, ids=lambda plan: plan.command)
def test_what_once_broke_a_rule_keeps_it(plan: Plan) -> None:
    """Found by the simulator, mended, and not to come back."""
    judge_cost(plan, plan.play(), Plan(plan.program).play())
