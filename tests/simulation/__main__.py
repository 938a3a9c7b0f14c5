"""Plays simulations by the hour, or one again: ``python -m tests.simulation --seeds 1000000 --jobs 2``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.simulation.faults import Fault, Planned
from tests.simulation.play import Broken, Plan, plan_of_seed, play_seed, program_named, shrunk, single_faults
from tests.simulation.soak import SEEDS_AT_ONCE, Report, reports
from tests.simulation.world import World


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code: 1 when a rule was broken."""
    options = _parser().parse_args(arguments)
    if options.program is not None:
        return _play_plan(options)
    if options.seed is not None:
        return _play_again(options.seed, shrink=options.shrink)
    return _soak(options.start, options.seeds, options.jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many seeds to play")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes that play at the same time")
    parser.add_argument("--seed", type=int, help="play this seed alone, and tell what happened")
    parser.add_argument("--shrink", action="store_true", help="with --seed: look for a shorter plan that fails as well")
    parser.add_argument("--program", help="play this shape of the corpus, or random-N, under the faults given")
    parser.add_argument("--fault", action="append", default=[], metavar="BOUNDARY:FAULT", help="12:DIE_BEFORE, say")
    parser.add_argument("--choice", action="append", default=[], metavar="NUMBER:CHOSEN", help="5:1, say")
    parser.add_argument("--skews", default="0", metavar="MS,..", help="how wrong the clocks are")
    parser.add_argument("--singles", action="store_true", help="with --program: every single fault of it instead")
    return parser


def _play_plan(options: argparse.Namespace) -> int:
    if options.singles:
        return _play_singles(options.program)
    plan = Plan(
        options.program,
        tuple(Planned(int(number), Fault[name]) for number, name in map(_pair, options.fault)),
        {int(number): int(chosen) for number, chosen in map(_pair, options.choice)},
        tuple(map(int, options.skews.split(","))),
    )
    return _told(plan.play)


def _play_singles(name: str) -> int:
    failed = 0
    for plan in single_faults(program_named(name)):
        try:
            plan.play()
        except Broken as broken:
            failed += 1
            print("\n".join(str(broken).splitlines()[:3]))  # noqa: T201
    print(f"{failed} failed")  # noqa: T201
    return 1 if failed else 0


def _play_again(seed: int, *, shrink: bool) -> int:
    if shrink:
        return _told(shrunk(plan_of_seed(seed)).play)
    return _told(lambda: play_seed(seed))


def _told(play: object) -> int:
    assert callable(play)
    try:
        world: World = play()
    except Broken as broken:
        print(broken)  # noqa: T201
        return 1
    print(world.timeline)  # noqa: T201
    print("well")  # noqa: T201
    return 0


def _pair(text: str) -> tuple[str, str]:
    number, _, rest = text.partition(":")
    return number, rest


def _soak(start: int, seeds: int, jobs: int) -> int:
    total, begun = Report(), time.monotonic()
    chunks = [
        range(first, min(first + SEEDS_AT_ONCE, start + seeds)) for first in range(start, start + seeds, SEEDS_AT_ONCE)
    ]
    for report in reports(chunks, jobs):
        total.seeds += report.seeds
        total.coverage.merge(report.coverage)
        total.failed += report.failed
        for seed, text in report.failed:
            print(f"\nseed {seed}: {text.splitlines()[0]}", flush=True)  # noqa: T201
        rate = total.seeds / (time.monotonic() - begun)
        print(f"\r{total.seeds} of {seeds} seeds, {rate:.0f} a second, {len(total.failed)} failed", end="", flush=True)  # noqa: T201
    print(f"\n\n{total.coverage}\n")  # noqa: T201
    missing = total.coverage.missing()
    if missing:
        print("never happened:\n  " + "\n  ".join(missing))  # noqa: T201
    for seed, text in sorted(total.failed)[:20]:
        print(f"\nseed {seed}\n{text}")  # noqa: T201
    if total.failed:
        print("\nfailed: " + " ".join(str(seed) for seed, _ in sorted(total.failed)))  # noqa: T201
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
