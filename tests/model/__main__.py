"""``python -m tests.model``: explores everything and prints it; with ``--write``, keeps it in report.txt too."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.model.report import REPORT, row, trace
from tests.model.scenarios import FAULT_FREE, REDELIVERY_ALONE, SCENARIOS
from tests.model.weakenings import RECIPES, SIMPLIFICATIONS


def main() -> None:
    """Explores, prints, and keeps."""
    lines = []
    for line, seconds in _explored():
        lines.append(line)
        sys.stdout.write(line if seconds is None else f"{line} ({seconds:.1f} s)")
        sys.stdout.write("\n")
        sys.stdout.flush()
    if "--write" in sys.argv[1:]:
        REPORT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _explored() -> Iterator[tuple[str, float | None]]:
    for title, scenarios in (
        ("The protocol, any combination of these faults", SCENARIOS),
        ("The protocol without faults", FAULT_FREE),
        ("The protocol without its sweep, one fault", REDELIVERY_ALONE),
    ):
        yield f"{title}\n", None
        for name, scenario in scenarios.items():
            verdict = scenario.explore()
            yield row(name, scenario, verdict), verdict.seconds
        yield "", None
    for title, weakenings in (("The recipe", RECIPES), ("The protocol less one rule", SIMPLIFICATIONS)):
        yield f"{title}\n", None
        for name, weakening in weakenings.items():
            yield trace(name, weakening, weakening.scenario.explore(weakening.rules)) + "\n", None


if __name__ == "__main__":
    main()
