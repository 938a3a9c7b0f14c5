"""Cold start: what importing and initializing each function costs, as a ratio to a bare handler's.

The bare handler imports boto3 and makes the same two clients, DynamoDB's and SQS's; nobody does with less. Both run
from the package for this machine, compiled, in fresh interpreters that see nothing else, interleaved; the numbers are
processor time, for wall time is the machine's. The registry is one without a user's imports. Run it with
``make bench``; the exit code tells whether the budget holds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from infra.package import Project, build, host_target  # noqa: E402  (the benchmarks are no package)
from tests.infra.cold_start import BARE, PARTS, RATIO_MAX, measured, programs, ratio  # noqa: E402

ROUNDS: Final = 11

PLUGINS: Final = "logger,metrics"
"""What a deployed stack may switch on; measured beside the budget, which is for the functions alone."""


def main() -> int:
    """Measures, prints a table, and says whether the budget holds."""
    parser = argparse.ArgumentParser(description="Cold start of each function, as a ratio to a bare handler's.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each, interleaved (default: %(default)s)")
    rounds = parser.parse_args().rounds
    package, _ = build(Project(root=ROOT), host_target())
    named = {"bare": (BARE, ""), **programs()}
    named |= {f"{module} with {PLUGINS}": program for module, program in programs(PLUGINS).items()}
    with tempfile.TemporaryDirectory() as rooms:
        times = measured(named, package, Path(rooms), rounds)
    print(f"import and init, processor time, median of {rounds}; budget: {RATIO_MAX} of bare without plugins")
    missed = 0
    for name, values in times.items():
        times_bare = ratio(values, times["bare"])
        over = name in PARTS and times_bare > RATIO_MAX
        missed += over
        print(
            f"  {name:42} {statistics.median(values):7.1f} ms  {times_bare:5.2f}{'  over the budget' if over else ''}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
