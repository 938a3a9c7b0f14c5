"""Plays the demo: starts the runs, does what the people in them would do, and looks at them over HTTP.

Owns the order of things and the patience. It refuses to know how anything is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Protocol

from cli.demo_examples import APPROVAL, ARRIVAL, BUCKET, DECISION, EXAMPLES, UPLOAD_KEY, Pace, inputs
from cli.demo_run import DemoRun, Happening
from cli.http_client import Answer
from cli.plain_text import plain_json


class Calls(Protocol):
    """What is asked of the HTTP API."""

    def get(self, path: str, *, etag: str | None = None) -> Answer:
        """GET a path; with ``etag`` the answer may be 304, without a body."""
        ...

    def post(self, path: str, document: object = None) -> Answer:
        """POST JSON to a path, or to an address of the API."""
        ...


class Director:
    """Plays it once.

    Args:
        api: the stack's.
        api_url: where the services are that api-aggregation asks.
        upload: puts a file of that name into the bucket; gives its size in bytes.
        pace: how long things take.
    """

    def __init__(self, api: Calls, *, api_url: str, upload: Callable[[str], int], pace: Pace) -> None:
        self._api = api
        self._api_url = api_url
        self._upload = upload
        self._pace = pace
        self.runs = [DemoRun(example) for example in EXAMPLES]
        self._of = {run.example.workflow: run for run in self.runs}
        self._etags: dict[str, str] = {}
        self._asked_at: float | None = None
        self._decided = False
        self._uploaded = False

    def play(self) -> Iterator[Sequence[Happening]]:
        """Gives what has happened since the last time, again and again, until all runs have ended.

        Raises:
            ApiError: the stack did not do what it was asked.
        """
        began = time.monotonic()
        waiting = [
            self._start(*each) for each in inputs(api_url=self._api_url, now_ms=_now_ms(), pace=self._pace).items()
        ]
        while time.monotonic() - began < self._pace.patience:
            looked_at_ms = _now_ms()
            waiting += [*self._looked(), *self._acted(time.monotonic() - began)]
            ended = all(run.ended for run in self.runs)
            # What came after the look began may have been preceded by something that this look has not seen.
            waiting.sort(key=lambda happening: happening.at_ms)
            told = [happening for happening in waiting if ended or happening.at_ms < looked_at_ms]
            waiting = waiting[len(told) :]
            yield told
            if ended:
                return
            time.sleep(self._pace.poll)
        yield waiting

    def _start(self, workflow: str, given: Mapping[str, object]) -> Happening:
        path = f"/workflows/{workflow}/runs"
        at_ms = _now_ms()
        answer = self._api.post(path, {"workflowId": f"demo-{workflow}", "input": given})
        self._of[workflow].begin(str(answer.document["workflowId"]), at_ms)
        return Happening(at_ms, workflow, "call", f"POST {path}: {answer.status}")

    # --- looking -----------------------------------------------------------------------------------

    def _looked(self) -> Iterator[Happening]:
        """Looks at each run that has not ended; of one that has not moved either, the ETag tells at little cost."""
        yield from self._arrived()
        for run in self.runs:
            if run.workflow_id is None or run.ended:
                continue
            answer = self._api.get(f"/runs/{run.workflow_id}", etag=self._etags.get(run.workflow_id))
            if answer.status == HTTPStatus.NOT_MODIFIED:
                continue
            if "etag" in answer.headers:
                self._etags[run.workflow_id] = answer.headers["etag"]
            yield from run.take(answer.document, list(self._entries(run)))

    def _arrived(self) -> Iterator[Happening]:
        """Nobody knows the id of a run that an event starts: it is looked for by its workflow."""
        run = self._of[ARRIVAL]
        if run.workflow_id is not None or not self._uploaded:
            return
        for summary in _list(self._api.get(f"/runs?workflow={ARRIVAL}").document, "runs"):
            started_at_ms = summary["startedAt"]
            if isinstance(started_at_ms, int):
                run.begin(str(summary["workflowId"]), started_at_ms)
                yield Happening(started_at_ms, ARRIVAL, "call", "the event Object Created has started a run")

    def _entries(self, run: DemoRun) -> Iterator[Mapping[str, object]]:
        after: object = run.version
        while after is not None:
            page = self._api.get(f"/runs/{run.workflow_id}/history?after={after}").document
            yield from _list(page, "entries")
            after = page.get("after")

    # --- acting ------------------------------------------------------------------------------------

    def _acted(self, seconds: float) -> Iterator[Happening]:
        """What the people in it do: the editor decides, somebody uploads a file."""
        if not self._uploaded and seconds >= self._pace.upload:
            self._uploaded = True
            at_ms = _now_ms()
            size = self._upload(UPLOAD_KEY)
            yield Happening(at_ms, ARRIVAL, "call", f"PUT s3://{BUCKET}/{UPLOAD_KEY}, {size} bytes")
        wait = self._of[APPROVAL].document.get("wait")
        link = wait.get("callbackUrl") if isinstance(wait, Mapping) else None
        if self._decided or link is None:
            return
        self._asked_at = seconds if self._asked_at is None else self._asked_at
        if seconds - self._asked_at >= self._pace.editor:
            self._decided = True
            at_ms = _now_ms()
            answer = self._api.post(str(link), DECISION)
            text = f"the editor POSTs {plain_json(DECISION)} to the run's link: {answer.status}"
            yield Happening(at_ms, APPROVAL, "call", text)


def _list(document: Mapping[str, object], name: str) -> Sequence[Mapping[str, object]]:
    values = document.get(name)
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
