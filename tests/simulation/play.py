"""Plays: a program under a schedule, by plan or by seed, and what is told when one breaks a rule."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NoReturn

from dispatcher.bootstrap import App
from tests.simulation.clock import MINUTE, SECOND
from tests.simulation.faults import APPLICABLE, Boundary, Fault, Planned, PlannedFaults, RandomFaults
from tests.simulation.invariants import RuleBroken
from tests.simulation.ports import BUCKET, QUEUE, STORE
from tests.simulation.programs import CASES, CORPUS, Program, random_program
from tests.simulation.recording import EXECUTE
from tests.simulation.world import ACKNOWLEDGE, RECEIVE, World

_PROGRAMS_BY_NAME = {program.name: program for program in (*CORPUS, *CASES)}
_SEEDS_PER_PROGRAM = 8
"""Seeds that share a random program: to make one takes longer than to play it."""

BOUNDARIES: Sequence[Boundary] = (
    *STORE.values(),
    *QUEUE.values(),
    *BUCKET.values(),
    EXECUTE,
    RECEIVE,
    ACKNOWLEDGE,
)
"""Every boundary there is."""


class Broken(AssertionError):
    """A play that broke a rule: which, how to play it again, and what happened."""


_OTHERS_DOING: Final = frozenset({Fault.BACKLOG, Fault.SWEEP, Fault.CALLER})
"""What others do at that moment: whether there is anything for them to do is not the boundary's matter."""


@dataclass(slots=True)
class Coverage:
    """What has been met so far: how often each fault has happened at each boundary."""

    plays: int = 0
    met: Counter[str] = field(default_factory=Counter)
    faults: Counter[tuple[str, Fault]] = field(default_factory=Counter)

    def add(self, world: World) -> None:
        """Counts what a play has met."""
        self.plays += 1
        for boundary, fault in world.timeline.boundaries:
            self.met[boundary.name] += 1
            if fault is not None:
                self.faults[boundary.name, fault] += 1

    def merge(self, other: Coverage) -> None:
        """Counts what others have met."""
        self.plays += other.plays
        self.met.update(other.met)
        self.faults.update(other.faults)

    def missing(self) -> list[str]:
        """Boundaries that were never met, and faults that never happened where they can."""
        return [
            f"{boundary.name}: {'never met' if not self.met[boundary.name] else fault.value}"
            for boundary in BOUNDARIES
            for fault in APPLICABLE[boundary.kind]
            if not self.faults[boundary.name, fault] and fault not in _OTHERS_DOING
        ]

    def __str__(self) -> str:
        faults = list(Fault)
        lines = [f"{'':24}{'met':>9}" + "".join(f"{fault.name.lower():>15}" for fault in faults)]
        for boundary in BOUNDARIES:
            cells = [
                f"{self.faults[boundary.name, fault]:>15}" if fault in APPLICABLE[boundary.kind] else f"{'':>15}"
                for fault in faults
            ]
            lines.append(f"{boundary.name:24}{self.met[boundary.name]:>9}" + "".join(cells))
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Plan:
    """A program, and what goes wrong in it."""

    program: str
    faults: tuple[Planned, ...] = ()
    choices: Mapping[int, int] = field(default_factory=dict)
    skews_ms: tuple[int, ...] = (0,)

    @property
    def command(self) -> str:
        """How to play it again."""
        parts = [f"python -m tests.simulation --program {self.program!r}"]
        parts += [f"--fault {number}:{fault.name}" for number, fault in self.faults]
        parts += [f"--choice {number}:{chosen}" for number, chosen in self.choices.items()]
        if any(self.skews_ms):
            parts.append(f"--skews={','.join(map(str, self.skews_ms))}")
        return " ".join(parts)

    def play(self, make_app: Callable[..., App] = App, *, surveyed: bool = False) -> World:
        """Plays it.

        Raises:
            Broken: a rule was broken.
        """
        schedule = PlannedFaults(self.faults, self.choices)
        world = World(
            program_named(self.program), schedule, skews_ms=self.skews_ms, make_app=make_app, surveyed=surveyed
        )
        return _played(world, self.command)


@lru_cache(maxsize=64)
def _random_program(number: int) -> Program:
    return random_program(number)


def program_named(name: str) -> Program:
    """A shape of the corpus, or a random program, by its name."""
    known = _PROGRAMS_BY_NAME.get(name)
    return known if known is not None else _random_program(int(name.removeprefix("random-")))


def by_seed(seed: int) -> tuple[Program, RandomFaults, tuple[int, ...]]:
    """What a seed stands for: a program, a schedule, and how wrong the clocks are."""
    rng = random.Random(f"schedule {seed}")  # noqa: S311  (repeatable, not secret)
    shape = rng.randrange(4) == 0
    program = CORPUS[rng.randrange(len(CORPUS))] if shape else _random_program(seed // _SEEDS_PER_PROGRAM)
    schedule = RandomFaults(rng, rate=rng.choice((0.01, 0.05, 0.1, 0.3)), faults_max=rng.choice((0, 1, 2, 3, 5, 8, 13)))
    skewed = rng.random() < 0.3
    skews_ms = tuple(rng.randrange(-2 * SECOND, 2 * SECOND) for _ in range(3)) if skewed else (0,)
    if rng.random() < 0.03:
        skews_ms = (0, rng.choice((-1, 1)) * MINUTE)
    return program, schedule, skews_ms


def play_seed(seed: int, make_app: Callable[..., App] = App) -> World:
    """Plays a seed.

    Raises:
        Broken: a rule was broken.
    """
    program, schedule, skews_ms = by_seed(seed)
    world = World(program, schedule, skews_ms=skews_ms, make_app=make_app)
    return _played(world, f"python -m tests.simulation --seed {seed}")


def _played(world: World, command: str) -> World:
    try:
        return world.play()
    except RuleBroken as broken:
        _complain(world, command, str(broken))


def _complain(world: World, command: str, rule: str) -> NoReturn:
    faults = ", ".join(f"{number}: {fault.value}" for number, fault in world.timeline.faults) or "none"
    raise Broken(
        f"{rule}\nreplay: {command}\nprogram: {world.program.name}, faults: {faults}\n{world.timeline}"
    ) from None


def single_faults(program: Program, kinds: Sequence[Fault] = tuple(Fault)) -> Iterator[Plan]:
    """Every plan of one fault: each that can happen, at each boundary that the program meets without any."""
    yield from one_more_fault(Plan(program.name), kinds)


def one_more_fault(plan: Plan, kinds: Sequence[Fault] = tuple(Fault)) -> Iterator[Plan]:
    """Every plan of one more fault, at each boundary that the program meets after the last fault of a plan.

    Faults that would change nothing are left out: a sweep where no mark is near, say.
    """
    world = plan.play(surveyed=True)
    assert world.surveyed is not None
    after = plan.faults[-1].number if plan.faults else -1
    for number, (boundary, _) in enumerate(world.timeline.boundaries):
        if number > after:
            for fault in APPLICABLE[boundary.kind]:
                if fault in kinds and fault not in world.surveyed[number]:
                    yield Plan(plan.program, (*plan.faults, Planned(number, fault)))


_COST_NOTHING: Final = frozenset(
    {
        Fault.UNACKNOWLEDGED,
        Fault.DUPLICATED,
        Fault.PURGED,
        Fault.SWEEP,
        Fault.BACKLOG,
        Fault.LAG,
        Fault.STALL,
    }
)
"""Faults after which no step may be executed again: a duplicate is stale, and a sweep sends what is lost alone."""

_REPAIRED_MS: Final = 5 * MINUTE
"""How late a run may be by one fault: its message comes back when its visibility ends, or a caller asks again."""

_REPAIRED_BY_SWEEP_MS: Final = 8 * MINUTE
"""How late when a caller's message cannot be sent, which the caller is not told, or when a sweep dies: the grace."""

_FOUND_BY_SWEEP_MS: Final = 40 * MINUTE
"""How late when all messages are lost: the mark of a run in motion, the grace, and a sweep's period."""


_DELIVERIES_MORE: Final = 4
"""How many more deliveries one fault may cause: a few messages for one, but no second chain of them."""


def _late_max_ms(plan: Plan, world: World) -> int:
    number, fault = plan.faults[0]
    process = next((event.process for event in world.timeline.events if event.number == number), "worker")
    if fault is Fault.PURGED:
        return _FOUND_BY_SWEEP_MS
    unsent = fault is Fault.THROTTLED and process.startswith("http")
    return _REPAIRED_BY_SWEEP_MS if unsent or process.startswith("sweep") else _REPAIRED_MS


def judge_cost(plan: Plan, world: World, calm: World) -> None:
    """Holds what one fault has cost against what it may cost.

    Raises:
        Broken: it has cost more executions, or more time.
    """
    fault = plan.faults[0].fault
    found, expected = world.ledger.accounts[world.run], calm.ledger.accounts[calm.run]
    extra = sum(found.executions.values()) - len(found.executions)
    late_ms = found.moved_ms - expected.moved_ms
    if extra > (0 if fault in _COST_NOTHING else 1):
        _complain(world, plan.command, f"{extra} executions too many")
    if world.program.name == "poison":
        # A step that kills whoever executes it takes as long as its tries take.
        return
    more = world.deliveries - calm.deliveries
    if more > _DELIVERIES_MORE:
        _complain(world, plan.command, f"{more} deliveries more than without the fault")
    if late_ms > _late_max_ms(plan, world):
        _complain(world, plan.command, f"late by {late_ms / 1000:.0f} s")


def shrunk(plan: Plan, make_app: Callable[..., App] = App) -> Plan:
    """A plan that breaks a rule as well, from which nothing can be left out. For one that breaks none: itself."""
    if not _breaks(plan, make_app):
        return plan
    shorter = True
    while shorter:
        shorter = False
        for smaller in _smaller(plan):
            if _breaks(smaller, make_app):
                plan, shorter = smaller, True
                break
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    if any(plan.skews_ms):
        yield Plan(plan.program, plan.faults, plan.choices)
    chosen = list(plan.choices.items())
    size = len(chosen)
    while size:
        for start in range(0, len(chosen), size):
            yield Plan(plan.program, plan.faults, dict(chosen[:start] + chosen[start + size :]), plan.skews_ms)
        size //= 2
    for index in range(len(plan.faults)):
        yield Plan(plan.program, plan.faults[:index] + plan.faults[index + 1 :], plan.choices, plan.skews_ms)


def _breaks(plan: Plan, make_app: Callable[..., App]) -> bool:
    try:
        plan.play(make_app)
    except Broken:
        return True
    return False


def plan_of_seed(seed: int, make_app: Callable[..., App] = App) -> Plan:
    """The plan that a seed came to, to be shrunk."""
    program, schedule, skews_ms = by_seed(seed)
    with contextlib.suppress(Broken):
        _played(World(program, schedule, skews_ms=skews_ms, make_app=make_app), "")
    return Plan(program.name, tuple(schedule.faults), dict(schedule.choices), skews_ms)
