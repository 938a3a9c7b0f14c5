"""Many seeds, in as many processes as are asked for."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from tests.simulation.play import Broken, Coverage, play_seed

SEEDS_AT_ONCE = 200


@dataclass(slots=True)
class Report:
    """What some seeds came to."""

    seeds: int = 0
    coverage: Coverage = field(default_factory=Coverage)
    failed: list[tuple[int, str]] = field(default_factory=list)


def reports(chunks: Sequence[range], jobs: int) -> Iterator[Report]:
    """A report for each chunk of seeds, as they come in."""
    if jobs <= 1:
        yield from map(play_chunk, chunks)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(play_chunk, chunk) for chunk in chunks]):
            yield done.result()


def play_chunk(seeds: range) -> Report:
    """Plays some seeds."""
    report = Report()
    for seed in seeds:
        report.seeds += 1
        try:
            report.coverage.add(play_seed(seed))
        except Broken as broken:
            report.failed.append((seed, str(broken)))
    return report
