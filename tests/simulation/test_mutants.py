"""The simulator would see it if a rule were missing: each product that lacks one is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from dispatcher.bootstrap import App
from tests.simulation.mutants import MUTANTS
from tests.simulation.play import Broken, Plan, judge_cost, play_seed, program_named, single_faults
from tests.simulation.world import World

_PROGRAMS = (
    "poison",
    "once",
    "early signal",
    "held between steps",
    "wait in a loop",
    "retry of the start keeps its payload",
    "one wait",
)
_SEEDS_FIRST = 40
_SEEDS = 300


def _plays() -> Iterator[Callable[[Callable[..., App]], object]]:
    """Plays without a fault, a few by chance, then each single fault, and more by chance."""
    for name in _PROGRAMS:
        yield Plan(name).play
    for seed in range(_SEEDS_FIRST):
        yield partial(play_seed, seed)
    for name in _PROGRAMS[1:]:
        calm = Plan(name).play()
        for plan in single_faults(program_named(name)):
            yield partial(_play_and_judge_cost, plan, calm)
    for seed in range(_SEEDS_FIRST, _SEEDS):
        yield partial(play_seed, seed)


def _play_and_judge_cost(plan: Plan, calm: World, make_app: Callable[..., App]) -> None:
    judge_cost(plan, plan.play(make_app), calm)


def _is_broken(play: Callable[[Callable[..., App]], object], make_app: Callable[..., App]) -> bool:
    try:
        play(make_app)
    except Broken:
        return True
    return False


@pytest.mark.parametrize("rule", MUTANTS)
def test_a_missing_rule_is_found_out(rule: str) -> None:
    """Some play breaks an invariant, which the product as it is does not break there."""
    tried = 0
    for play in _plays():
        tried += 1
        if _is_broken(play, MUTANTS[rule]) and not _is_broken(play, App):
            return
    pytest.fail(f"{tried} plays, and nobody noticed: {rule}")
