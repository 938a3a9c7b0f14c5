"""Explores every world that can come about, breadth first, and says which property fails first, and how.

It knows nothing of runs: properties of one action arrive as ``State.broken``; the rest is about the graph.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.model.program import Setting
from tests.model.state import State
from tests.model.world import OWN, is_settled, successors

RUN_LOST: Final = "no run is lost"
NEVER_QUIET: Final = "activity ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an exploration found.

    Args:
        states: worlds seen.
        depth: actions on the longest of the shortest ways to a world.
        seconds: how long it took.
        broken: the property that fails first; empty when all hold.
        trace: the shortest way to that, one action a line; after a cycle's entry its actions follow once.
    """

    states: int
    depth: int
    seconds: float
    broken: str = ""
    trace: tuple[str, ...] = ()


def explore(setting: Setting, start: State) -> Verdict:
    """Explores all worlds that can follow, until a property fails.

    Breadth first, so that no shorter trace breaks a property of one action or strands a run.
    """
    began = time.process_time()
    with _without_collecting():
        states, depth, broken, trace = _Search(setting, start).run()
    return Verdict(states=states, depth=depth, seconds=time.process_time() - began, broken=broken, trace=trace)


class _Search:
    def __init__(self, setting: Setting, start: State) -> None:
        self._setting = setting
        self._states = [start]
        self._numbers = {start: 0}
        self._parents = [-1]
        self._own: list[tuple[int, ...]] = []

    def run(self) -> tuple[int, int, str, tuple[str, ...]]:
        states, numbers, parents = self._states, self._numbers, self._parents
        position = depth = 0
        end_of_level = 1
        while position < len(states):
            if position == end_of_level:
                depth, end_of_level = depth + 1, len(states)
            state = states[position]
            own = []
            for nature, label, following in successors(self._setting, state):
                number = numbers.get(following)
                if number is None:
                    if following.broken:
                        return len(states), depth + 1, following.broken, (*self._trace(position), label)
                    number = len(states)
                    numbers[following] = number
                    states.append(following)
                    parents.append(position)
                if nature == OWN:
                    own.append(number)
            if not own and not is_settled(state):
                return len(states), depth, RUN_LOST, self._trace(position)
            self._own.append(tuple(own))
            position += 1
        cycle = self._cycle()
        if cycle:
            return len(states), depth, NEVER_QUIET, (*self._trace(cycle[0]), *self._around(cycle))
        return len(states), depth, "", ()

    def _trace(self, number: int) -> tuple[str, ...]:
        path = [number]
        while self._parents[path[-1]] >= 0:
            path.append(self._parents[path[-1]])
        path.reverse()
        return tuple(self._label(a, b) for a, b in pairwise(path))

    def _around(self, cycle: list[int]) -> Iterator[str]:
        for a, b in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            yield f"again and again: {self._label(a, b)}"

    def _label(self, number: int, following: int) -> str:
        target = self._states[following]
        return next(label for _, label, state in successors(self._setting, self._states[number]) if state == target)

    def _cycle(self) -> list[int]:
        """A cycle of the system's own actions; empty when there is none.

        Worlds whose own successors are all known to come to an end are taken away until none is left, or only those
        that lead to a cycle.
        """
        before: list[list[int]] = [[] for _ in self._own]
        open_ends = [len(own) for own in self._own]
        for number, own in enumerate(self._own):
            for following in own:
                before[following].append(number)
        ending = [number for number, count in enumerate(open_ends) if count == 0]
        while ending:
            for number in before[ending.pop()]:
                open_ends[number] -= 1
                if open_ends[number] == 0:
                    ending.append(number)
        left = next((number for number, count in enumerate(open_ends) if count), None)
        if left is None:
            return []
        path, places = [left], {left: 0}
        while True:
            following = next(number for number in self._own[path[-1]] if open_ends[number])
            if following in places:
                return path[places[following] :]
            places[following] = len(path)
            path.append(following)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Millions of tuples without a cycle among them: looking for cycles would cost as much as the search."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
