"""Random programs under random faults."""

from __future__ import annotations

import pytest

from tests.simulation.play import Broken, play_seed

_SEEDS = 2_000
_CHUNKS = 10


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_every_seed(chunk: int) -> None:
    """Chance draws workflows, faults, clocks and the order of things; the rules hold."""
    failed = []
    size = _SEEDS // _CHUNKS
    for seed in range(chunk * size, (chunk + 1) * size):
        try:
            play_seed(seed)
        except Broken as broken:
            failed.append(f"seed {seed}: {broken}")
    assert not failed, f"{len(failed)} seeds break a rule; the first:\n{failed[0]}"
