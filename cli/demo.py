"""``refluxo demo``: one real workflow, start to end, over HTTP alone, on an emulated AWS.

It starts the local stack, then behaves like any caller: POST a start, GET the run until it waits, POST to the
link it shows, GET it until it has ended. Each thing that happens is told when it is seen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.markup import escape

from cli.http_client import ApiClient, ApiError
from local import LocalStack

WORKFLOW: Final = "content-approval"
INPUT: Final[Mapping[str, object]] = {
    "title": "Durable workflows with nothing to operate",
    "text": "One Lambda, one table, one queue. Every step is committed before the next begins. NOTHING is lost.",
    "outages": 1,
}
DECISION: Final[Mapping[str, object]] = {"approved": True, "editor": "Ana"}

_POLL_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 60


@dataclass(slots=True)
class _Progress:
    """What has been seen of the run, and told."""

    console: Console
    started_at: float = field(default_factory=time.monotonic)
    told: set[tuple[str, int, int]] = field(default_factory=set)
    steps: int = 0
    attempts: int = 0

    def tell(self, mark: str, subject: str, detail: str = "") -> None:
        """One line: seconds since the start, a mark, what, and how."""
        seconds = time.monotonic() - self.started_at
        self.console.print(f"  [dim]{seconds:5.1f} s[/]  {mark}  {escape(subject):<10} {detail}", soft_wrap=True)

    def look(self, run: Mapping[str, object]) -> None:
        """Tells each result of the run that is new."""
        for node_id, result in sorted(_results(run), key=lambda entry: _count(entry[1], "timestamp")):
            attempt = _count(result, "attempt")
            key = (node_id, attempt, _count(result, "timestamp"))
            if key in self.told:
                continue
            self.told.add(key)
            self.attempts += 1
            error = result.get("error")
            if error is None:
                self.steps += 1
                note = f"attempt {attempt}, " if attempt > 1 else ""
                self.tell("[green]✓[/]", node_id, note + _shown(result.get("output")))
            else:
                self.tell("[yellow]↻[/]", node_id, f"attempt {attempt} failed: {escape(str(error))}{_retry_note(run)}")


def run_demo(console: Console, *, port: int = 0) -> int:
    """Runs the demo.

    Returns:
        0 when the run completed, 1 when it did not.
    """
    console.print("\n[bold]Refluxo[/] on an emulated AWS: real HTTP, DynamoDB and SQS calls, no account")
    with LocalStack(port=port) as stack:
        console.print(f"  HTTP API {stack.url}   AWS {stack.emulator_url}\n")
        try:
            return _follow(ApiClient(stack.url), _Progress(console))
        except ApiError as error:
            console.print(f"[red]✗[/] {escape(str(error))}")
            return 1


def _follow(api: ApiClient, progress: _Progress) -> int:
    started = api.post(f"/workflows/{WORKFLOW}/runs", {"input": INPUT})
    workflow_id = str(started.document["workflowId"])
    progress.tell("→", "start", f"POST /workflows/{WORKFLOW}/runs: {started.status}, run {workflow_id}")
    resumed = False
    for run in _watch(api, workflow_id):
        progress.look(run)
        wait = run.get("wait")
        if not resumed and run["status"] == "paused" and isinstance(wait, Mapping):
            progress.tell("[cyan]…[/]", str(run["currentNodeId"]), f"waits for {wait['signal']!r}, nothing runs")
            answer = api.post(str(wait["callbackUrl"]), DECISION)
            progress.tell("→", "webhook", f"POST {_shown(DECISION)} to the run's own link: {answer.status}")
            resumed = True
        if run["status"] in {"completed", "failed", "cancelled"}:
            return _close(api, progress, run)
    progress.console.print(f"[red]✗[/] the run has not ended within {_PATIENCE_SECONDS} seconds")
    return 1


def _watch(api: ApiClient, workflow_id: str) -> Iterator[Mapping[str, object]]:
    """The run as it is now, again and again, each version once."""
    version = None
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        run = api.get(f"/runs/{workflow_id}").document
        if run["version"] != version:
            version = run["version"]
            yield run
        time.sleep(_POLL_SECONDS)


def _close(api: ApiClient, progress: _Progress, run: Mapping[str, object]) -> int:
    deliveries = api.get("/local/stats").document["deliveries"]
    completed = run["status"] == "completed"
    colour = "green" if completed else "red"
    console = progress.console
    output = escape(json.dumps(run["output"], indent=2, ensure_ascii=False))
    console.print(f"\n[bold {colour}]{run['status']}[/]  output {output}", soft_wrap=True)
    console.print(f"{progress.steps} steps, {progress.attempts} attempts, {deliveries} deliveries of the queue\n")
    if completed:
        console.print("Next: [bold]make local[/] keeps it running. What you have seen is made of:")
        console.print("  workflows/definitions/content_approval.json\n  workflows/nodes/content.py\n")
    return 0 if completed else 1


def _results(run: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    context = run["context"]
    for node_id, results in context.items() if isinstance(context, Mapping) else ():
        for result in results:
            yield node_id, result


def _retry_note(run: Mapping[str, object]) -> str:
    state = run.get("retryState")
    if not isinstance(state, Mapping):
        return ""
    seconds = (_count(state, "nextRetryAt") - _count(run, "lastStartedAt")) / 1000
    return f"; again in {seconds:.0f} s"


def _count(document: Mapping[str, object], name: str) -> int:
    value = document.get(name)
    return value if isinstance(value, int) else 0


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    limit = 100
    return escape(text if len(text) <= limit else text[: limit - 1] + "…")
