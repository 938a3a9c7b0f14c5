"""The simulator reaches what it is there to reach: each fault at each boundary where it can happen."""

from __future__ import annotations

from tests.simulation.faults import Fault, Planned
from tests.simulation.play import Broken, Coverage, Plan, one_more_fault
from tests.simulation.programs import CASES
from tests.simulation.recording import EXECUTE

_BY_CHANCE = {"store.load_definition"}
"""Only a worker with newer code than the run began with asks for it, which no plan brings about."""


def _dying_last(name: str) -> Plan:
    """A plan in which the last step dies at first, so that somebody who knows nothing takes it up."""
    calm = Plan(name).play()
    last = max(number for number, (boundary, _) in enumerate(calm.timeline.boundaries) if boundary == EXECUTE)
    return Plan(name, (Planned(last, Fault.DIE_BEFORE),))


def test_each_fault_happens_at_each_boundary() -> None:
    """No call of a port is left out, and no way in which it can go wrong."""
    coverage = Coverage()
    beginnings = (
        *(Plan(program.name) for program in CASES),
        Plan("wait and resume"),
        Plan("single node", (Planned(3, Fault.PURGED),)),
        _dying_last("large"),
        _dying_last("huge"),
    )
    for beginning in beginnings:
        calm = beginning.play()
        coverage.add(calm)
        for plan in one_more_fault(beginning):
            number, fault = plan.faults[-1]
            name = calm.timeline.boundaries[number][0].name
            if not coverage.faults[name, fault]:
                try:
                    coverage.add(plan.play())
                except Broken:
                    # What breaks a rule is another test's to tell.
                    coverage.faults[name, fault] += 1
    missing = [line for line in coverage.missing() if line.partition(":")[0] not in _BY_CHANCE]
    assert not missing, "\n".join([*missing, str(coverage)])
