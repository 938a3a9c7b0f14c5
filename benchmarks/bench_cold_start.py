"""Cold start: what importing and initializing each function costs, as a ratio to a bare handler's.

The bare handler imports boto3 and makes the same two clients, DynamoDB's and SQS's; nobody does with less. Both run
from the package for this machine, compiled, in fresh interpreters that see nothing else, interleaved; the numbers are
processor time, for wall time is the machine's. The registry is one without a user's imports. Run it with
``make bench``; the exit code tells whether the budget holds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from infra.package import Project, build, host_target  # noqa: E402  (the benchmarks are no package)
from tests.infra.cold_start import ENVIRONMENT, FUNCTION, PARTS, REGISTRY  # noqa: E402

RATIO_MAX: Final = 1.4
ROUNDS: Final = 11

PLUGINS: Final = "logger,metrics"
"""What a deployed stack may switch on; measured beside the budget, which is for the functions alone."""

BARE: Final = """
import boto3
boto3.client("dynamodb")
boto3.client("sqs")
"""

_TIMED: Final = """
import sys, time
sys.path[:0] = sys.argv[1:]
started = time.process_time()
{program}
print(1000 * (time.process_time() - started))
"""


def cpu_ms(program: str, package: Path, rooms: Path, **variables: str) -> float:
    """Processor time of a program in an interpreter of its own, in milliseconds."""
    # No variables of ours (-I), no site-packages (-S).
    command = [sys.executable, "-I", "-S", "-c", _TIMED.format(program=program), str(package), str(rooms)]
    environment = {**ENVIRONMENT, **variables, "PATH": os.environ["PATH"]}
    done = subprocess.run(  # noqa: S603  (no shell, no user input)
        command, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def main() -> int:
    """Measures, prints a table, and says whether the budget holds."""
    parser = argparse.ArgumentParser(description="Cold start of each function, as a ratio to a bare handler's.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each, interleaved (default: %(default)s)")
    rounds = parser.parse_args().rounds
    package, _ = build(Project(root=ROOT), host_target())
    programs = {"bare": (BARE, "")}
    for module, part in PARTS.items():
        program = FUNCTION.format(module=module, part=part)
        programs[module] = (program, "")
        programs[f"{module} with {PLUGINS}"] = (program, PLUGINS)
    with tempfile.TemporaryDirectory() as rooms:
        Path(rooms, "plain_registry.py").write_text(REGISTRY, encoding="utf-8")
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(rounds):
            for name, (program, plugins) in programs.items():
                times[name].append(cpu_ms(program, package, Path(rooms), REFLUXO_PLUGINS=plugins))
    print(f"import and init, processor time, median of {rounds}; budget: {RATIO_MAX} of bare without plugins")
    missed = 0
    for name, values in times.items():
        # Pair by pair: a round's function and its bare handler met the same machine.
        ratio = statistics.median(value / bare for value, bare in zip(values, times["bare"], strict=True))
        over = name in PARTS and ratio > RATIO_MAX
        missed += over
        print(f"  {name:42} {statistics.median(values):7.1f} ms  {ratio:5.2f}{'  over the budget' if over else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
