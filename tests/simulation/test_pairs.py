"""All pairs of faults, over six small shapes that between them use every rule."""

from __future__ import annotations

import pytest

from tests.simulation.faults import Fault
from tests.simulation.play import Broken, one_more_fault, program_named, single_faults

_SHAPES = (
    "single node",
    "one wait",
    "wait, timeout left open",
    "retry of the start keeps its payload",
    "cancelled while it waits",
    "once",
)

_KINDS = (
    Fault.DIE_BEFORE,
    Fault.DIE_AFTER,
    Fault.TWIN,
    Fault.CALLER,
    Fault.PURGED,
    Fault.DUPLICATED,
)
"""The others are weaker forms of these: a lost answer is a death that was survived, to be repeated is a twin's work."""
_CHUNKS = 3


@pytest.mark.parametrize("chunk", range(_CHUNKS))
@pytest.mark.parametrize("shape", _SHAPES)
def test_every_pair(shape: str, chunk: int) -> None:
    """Whatever goes wrong twice, the run ends as it would have, and everything on the way keeps the rules."""
    failed = []
    for first in list(single_faults(program_named(shape), _KINDS))[chunk::_CHUNKS]:
        for plan in one_more_fault(first, _KINDS):
            try:
                plan.play()
            except Broken as broken:
                failed.append(str(broken))
    assert not failed, f"{len(failed)} plans break a rule; the first:\n{failed[0]}"
