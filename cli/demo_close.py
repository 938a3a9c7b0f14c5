"""How the demo ends: what became of each run, what it took, and what to try next; or the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from cli.demo_run import DemoRun
from local.own_command import own_command

_NEXT: Final = (
    ("make local", "the same stack until Ctrl-C; beside it:"),
    ("{refluxo} start order-lines --watch", "starts a run and draws how it goes on"),
    ("curl -X POST http://127.0.0.1:8080/workflows/order-lines/runs", ""),
    ("{refluxo} list", "shows the runs"),
    ("{refluxo} graph content-approval", "draws a workflow"),
    ("{refluxo} new my-flows", "makes a project of your own"),
    ("docs/examples.md", "tells what you have just seen"),
)
_GAP_CELLS: Final = 2


def close(console: Console, runs: Sequence[DemoRun], *, deliveries: int, seconds: float) -> None:
    """Prints what happened, and what to try next.

    Args:
        console: where to.
        runs: all of them, ended or not.
        deliveries: messages that the queue has delivered.
        seconds: how long it took.
    """
    console.print()
    for run in runs:
        _print_outcome(console, run)
    well = sum(run.went_well for run in runs)
    steps, attempts = sum(run.steps for run in runs), sum(run.attempts for run in runs)
    console.print(
        f"\n[bold {'green' if well == len(runs) else 'red'}]{well} of {len(runs)} runs ended as they should[/] in "
        f"{seconds:.1f} s: {steps} steps, {attempts} attempts, {deliveries} deliveries.",
        soft_wrap=True,
    )
    if well < len(runs):
        return
    console.print("\n[bold]Try next[/]")
    lines = [(command.format(refluxo=own_command()), says) for command, says in _NEXT]
    cells = max(len(command) for command, says in lines if says) + _GAP_CELLS
    for command, says in lines:
        console.print(Text.assemble("  ", (command.ljust(cells), "cyan"), says), soft_wrap=True)
    console.print()


def close_json(console: Console, runs: Sequence[DemoRun], *, deliveries: int, seconds: float) -> None:
    """Prints what happened as JSON; the arguments are those of :func:`close`."""
    document = {
        "wentWell": all(run.went_well for run in runs),
        "seconds": round(seconds, 1),
        "deliveries": deliveries,
        "runs": [
            {
                "workflow": run.example.workflow,
                "workflowId": run.workflow_id,
                "status": run.status,
                "wentWell": run.went_well,
                "steps": run.steps,
                "attempts": run.attempts,
                "retries": run.retries,
                "seconds": round(run.seconds(run.last_at_ms), 1),
                "output": run.document.get("output"),
            }
            for run in runs
        ],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _print_outcome(console: Console, run: DemoRun) -> None:
    """Two lines: how it ended and what it took, then its output, cut where a terminal ends."""
    mark, style = ("✓", "green") if run.went_well else ("✗", "bold red")
    facts = f"{run.steps:>4} steps {run.attempts:>4} attempts {run.seconds(run.last_at_ms):>6.1f} s"
    console.print(
        Text.assemble(
            (f"{mark} ", style), (f"{run.example.workflow:<17}", "bold"), (f"{run.status:<11}", style), facts
        ),
        soft_wrap=True,
    )
    if console.is_interactive:
        console.print(Text(f"  {run.outcome}", style="dim"), no_wrap=True, overflow="ellipsis")
    else:
        console.print(Text(f"  {run.outcome}"), soft_wrap=True)
