"""The functions' cold start as a program: entry point, app and the part of it that the first event builds.

For the tests of what is loaded and of what it costs, and for the benchmark. A cost is processor time, for wall time is
the machine's, and counts as a ratio to what a bare handler costs that makes the same two clients, DynamoDB's and SQS's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

RATIO_MAX: Final = 1.4
"""The budget: what importing and initializing a function may cost in bare handlers."""

PARTS: Final = {
    "http_handler": "http_api",
    "queue_handler": "dispatcher",
    "sweep_handler": "sweep",
    "dead_letter_handler": "dead_letters",
    "event_handler": "front_door",
}
"""Each entry point, and the part of the app that its first event builds."""

FUNCTION: Final = """
import dispatcher.{module}
from dispatcher import bootstrap
app = bootstrap.app()
app.plugins
app.{part}
"""

ENVIRONMENT: Final = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "TABLE_NAME": "table",
    "QUEUE_URL": "https://queue.test",
    "PARKED_QUEUE_URL": "https://parked.test",
    "PAYLOAD_BUCKET": "payloads",
    "PUBLIC_URL": "https://api.test",
    "WEBHOOK_SECRET_ID": "secret",
    "REFLUXO_REGISTRY": "plain_registry:registry",
}

REGISTRY: Final = "from engine import Registry\nregistry = Registry()\n"

BARE: Final = """
import boto3
boto3.client("dynamodb")
boto3.client("sqs")
"""
"""Nobody does with less."""

_TIMED: Final = """
import sys, time
sys.path[:0] = sys.argv[1:]
started = time.process_time()
{program}
print(1000 * (time.process_time() - started))
"""


def programs(plugins: str = "") -> dict[str, tuple[str, str]]:
    """Each function's program, by its module, and the plugins it is to be run with."""
    return {module: (FUNCTION.format(module=module, part=part), plugins) for module, part in PARTS.items()}


def measured(named: Mapping[str, tuple[str, str]], package: Path, rooms: Path, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of programs, round by round: interleaved, each in a fresh interpreter that sees nothing else.

    Args:
        named: programs and their plugins, by name.
        package: the unpacked package.
        rooms: a folder for a registry that imports nothing of a user's.
        rounds: how often.
    """
    (rooms / "plain_registry.py").write_text(REGISTRY, encoding="utf-8")
    times: dict[str, list[float]] = {name: [] for name in named}
    for _ in range(rounds):
        for name, (program, plugins) in named.items():
            times[name].append(_cpu_ms(program, package, rooms, plugins))
    return times


def ratio(values: Sequence[float], bare: Sequence[float]) -> float:
    """The median of the rounds' own: in a round, the function and the bare handler met the same machine."""
    return statistics.median(value / of for value, of in zip(values, bare, strict=True))


def _cpu_ms(program: str, package: Path, rooms: Path, plugins: str) -> float:
    # No variables of ours (-I), no site-packages (-S).
    command = [sys.executable, "-I", "-S", "-c", _TIMED.format(program=program), str(package), str(rooms)]
    environment = {**ENVIRONMENT, "REFLUXO_PLUGINS": plugins, "PATH": os.environ["PATH"]}
    done = subprocess.run(  # noqa: S603  (no shell, no user input)
        command, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])
