"""``refluxo list``: runs, newest first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import click

from cli.completions import workflow_names
from cli.options import Moment, Remote, calls_api, examples

SECTION = "Runs"

STATUSES: Final = ("active", "paused", "error", "completed", "failed", "cancelled")

_PAGE_RUNS: Final = 100
_LIMIT: Final = 50


@click.command(
    "list",
    epilog=examples(
        "refluxo list",
        "refluxo list --workflow order --status failed --since 2h",
        "refluxo list --tag shop=berlin --all --json",
    ),
)
@click.option("--workflow", metavar="NAME", shell_complete=workflow_names, help="Runs of this workflow.")
@click.option("--status", type=click.Choice(STATUSES), help="Runs in this status.")
@click.option("--since", type=Moment(), help="Started then or later: 2h, 7d, an ISO 8601 time, epoch milliseconds.")
@click.option("--until", type=Moment(), help="Started before then.")
@click.option("--tag", metavar="KEY[=VALUE]", help="Runs with this tag.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="COUNT", default=_LIMIT, show_default=True, help="As many at most."
)
@click.option("--all", "everything", is_flag=True, help="All there are, however many.")
@click.option("--cursor", metavar="TEXT", help="Go on where an earlier list has ended.")
@calls_api
def command(
    remote: Remote,
    *,
    workflow: str | None,
    status: str | None,
    since: int | None,
    until: int | None,
    tag: str | None,
    limit: int,
    everything: bool,
    cursor: str | None,
) -> int:
    """List runs, newest first."""
    filters = {"workflow": workflow, "status": status, "since": since, "until": until, "tag": tag}
    runs: list[Mapping[str, object]] = []
    with remote.output.progress("looking for runs"):
        for page, following in _pages(remote, filters, cursor, None if everything else limit):
            runs += page
            cursor = following
    if remote.output.as_json:
        remote.output.document({"runs": runs, "cursor": cursor})
        return 0
    if runs:
        _show(remote, runs)
    elif any(value is not None for value in filters.values()):
        remote.output.note("no runs are so; refluxo list shows those there are")
    else:
        remote.output.note("no runs; refluxo start NAME starts one")
    if cursor is not None:
        remote.output.note(f"there may be more: --all, or --cursor {cursor}")
    return 0


def _pages(
    remote: Remote, filters: Mapping[str, object], cursor: str | None, limit: int | None
) -> Iterator[tuple[Sequence[Mapping[str, object]], str | None]]:
    """Pages and where each has ended, until there are no more or enough."""
    found = 0
    while limit is None or found < limit:
        asked = _PAGE_RUNS if limit is None else min(limit - found, _PAGE_RUNS)
        document = remote.api.get("/runs", {**filters, "limit": asked, "cursor": cursor}).document
        runs = document.get("runs")
        page = runs if isinstance(runs, list) else []
        found += len(page)
        following = document.get("cursor")
        cursor = following if isinstance(following, str) else None
        yield page, cursor
        if cursor is None:
            return


def _show(remote: Remote, runs: Sequence[Mapping[str, object]]) -> None:
    from rich.table import Table  # noqa: PLC0415  (loaded when used)

    from cli.moments import moment  # noqa: PLC0415
    from cli.plain_text import plain  # noqa: PLC0415
    from cli.run_view import status_text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("RUN", overflow="fold")
    for name in ("WORKFLOW", "STATUS", "AT", "STARTED", "TAGS"):
        table.add_column(name, overflow="ellipsis", no_wrap=name in {"STATUS", "STARTED"})
    now_ms = time.time_ns() // 1_000_000
    for run in runs:
        started, tags = run.get("startedAt"), run.get("tags")
        status = status_text(run.get("status"))
        table.add_row(
            plain(run.get("workflowId")),
            plain(run.get("workflow") or "-"),
            status.append(" (held)") if run.get("held") is not None else status,
            plain(run.get("currentNodeId") or "-"),
            moment(started, now_ms) if isinstance(started, int) else "-",
            plain(" ".join(f"{key}={value}" for key, value in tags.items())) if isinstance(tags, Mapping) else "",
        )
    remote.output.show(table)
