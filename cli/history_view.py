"""The history of a run: page by page, as a table, or entry by entry as it grows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from cli.failures import DONE, FAILED
from cli.following import versions_of
from cli.http_client import Api, run_path
from cli.moments import clock, length, moment
from cli.options import Remote
from cli.plain_text import plain, plain_json

_PAGE_ENTRIES: Final = 100

_DETAIL_CHARACTERS_MAX: Final = 100
"""Of an output or an error, in a table or on a terminal; --json prints all of it."""

_STYLES: Final[Mapping[str, str]] = {
    "succeeded": "green",
    "rescheduled": "yellow",
    "caught": "yellow",
    "failed": "bold red",
    "cancelled": "magenta",
    "paused": "cyan",
}


def pages(api: Api, run_id: str, *, after: int, limit: int | None) -> Iterator[Mapping[str, object]]:
    """Pages of a history, ``limit`` transitions in all."""
    last: int | None = after
    left = limit
    while last is not None and (left is None or left > 0):
        asked = _PAGE_ENTRIES if left is None else min(left, _PAGE_ENTRIES)
        document = api.get(run_path(run_id, "history"), {"after": last or None, "limit": asked}).document
        yield document
        found = document.get("after")
        last = found if isinstance(found, int) else None
        left = None if left is None else left - asked


def entries_of(page: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    """The entries of a page."""
    entries = page.get("entries")
    return entries if isinstance(entries, list) else []


def show_history(remote: Remote, run_id: str, *, after: int, limit: int | None) -> int:
    """Prints a history as it is now: one table, or one document of the API's shape with all pages in it."""
    entries: list[Mapping[str, object]] = []
    page: Mapping[str, object] = {}
    with remote.output.progress(f"reading the history of {run_id}"):
        for page in pages(remote.api, run_id, after=after, limit=limit):
            entries += entries_of(page)
    if remote.output.as_json:
        remote.output.document({**page, "entries": entries})
        return DONE
    now_ms = time.time_ns() // 1_000_000
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("VERSION", "WHEN", "WHAT", "NODE", "TRY", "TOOK"):
        table.add_column(name, no_wrap=True, justify="right" if name in {"VERSION", "TRY", "TOOK"} else "left")
    table.add_column("DETAIL")
    for entry in entries:
        table.add_row(*_cells(entry, now_ms, relative=True))
    remote.output.show(table)
    if page.get("after") is not None:
        remote.output.note(f"there is more: --after {page['after']}")
    return DONE


def follow_history(remote: Remote, run_id: str, *, after: int, limit: int | None, interval_seconds: float) -> int:
    """Prints each entry as it comes, until the run has ended or ``limit`` transitions are told.

    Returns:
        0 when the run completed, or when enough is told; 1 when it failed or was cancelled.
    """
    told: set[str] = set()
    status: object = None
    first, last = after, after
    for run in versions_of(remote.api, run_id, interval_seconds=interval_seconds):
        status = run.get("status")
        # An operator's call stands with the version it met, so the last version told is looked at again.
        for page in pages(remote.api, run_id, after=max(last - 1, first), limit=None):
            for entry in entries_of(page):
                key = plain_json(entry)
                if key in told:
                    continue
                version = entry.get("version")
                last = max(last, version) if isinstance(version, int) else last
                if limit is not None and last - first > limit:
                    return DONE
                told.add(key)
                _tell(remote, entry)
    return DONE if status == "completed" else FAILED


def _tell(remote: Remote, entry: Mapping[str, object]) -> None:
    if remote.output.as_json:
        remote.output.json_line(entry)
        return
    limit = _DETAIL_CHARACTERS_MAX if remote.output.console.is_terminal else None
    cells = _cells(entry, time.time_ns() // 1_000_000, relative=False, limit=limit)
    version, when, what, node, attempt, took, detail = cells
    line = Text.assemble(
        f"{version:>5}  ", (str(when), "dim"), "  ", what, " " * max(12 - len(str(what)), 1), str(node)
    )
    if attempt:
        line.append(f"  attempt {attempt}")
    if took:
        line.append(f"  {took}", style="dim")
    line.append_text(Text(f"  {detail}"))
    remote.output.line(line)


def _cells(
    entry: Mapping[str, object], now_ms: int, *, relative: bool, limit: int | None = _DETAIL_CHARACTERS_MAX
) -> tuple[str | Text, ...]:
    at_ms, took_ms, attempt = entry.get("at"), entry.get("durationMs"), entry.get("attempt")
    kind = plain(entry.get("kind"))
    when = "-" if not isinstance(at_ms, int) else moment(at_ms, now_ms) if relative else clock(at_ms, now_ms)
    return (
        str(entry.get("version")),
        when,
        Text(kind, style=_STYLES.get(kind, "bold")),
        plain(entry.get("nodeId") or ""),
        str(attempt) if isinstance(attempt, int) and attempt > 1 else "",
        length(took_ms) if isinstance(took_ms, int) and entry.get("attempt") is not None else "",
        Text(_detail(entry, limit), no_wrap=True, overflow="ellipsis"),
    )


def _detail(entry: Mapping[str, object], limit: int | None) -> str:
    if entry.get("error") is not None:
        return plain(entry["error"], limit)
    parts = []
    if entry.get("resumedBy") is not None:
        signal = f" {entry['signal']!r}" if entry.get("signal") is not None else ""
        parts.append(f"resumed by {entry['resumedBy']}{signal}")
    if entry.get("actor") is not None:
        parts.append(f"by {entry['actor']}")
    if entry.get("reason") is not None:
        parts.append(f"({entry['reason']})")
    if entry.get("target") is not None:
        parts.append(f"to {entry['target']}")
    if "output" in entry:
        parts.append(plain_json(entry["output"], limit))
    return plain(" ".join(parts))
