"""``refluxo smoke``: checks of a real deployment, end to end, by its HTTP API alone.

Each check plays one thing that only the real platform can get wrong, with runs of its own that are removed at the end.
Its definitions stay, for definitions cannot be removed; putting them again changes nothing.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from cli.failures import NOT_FOUND, CommandError
from cli.following import versions_of
from cli.history_view import entries_of, pages
from cli.http_client import ENDED, Api, ApiError, run_path, workflow_path
from cli.run_view import error_of
from cli.smoke_definitions import ALL, CHAIN, LARGE, RETRY, RETRY_MS, ROUNDS, SIGNAL, WAIT, Definition

LARGE_BYTES: Final = 480 * 1024
"""Of random text before base64: nothing that compression could bring below an item's 400 KB."""

_LOOKS_WHILE_HELD: Final = 4

_ANSWER: Final[Mapping[str, object]] = {"by": "refluxo smoke"}


class CheckFailed(Exception):
    """The deployment did not do what it is there for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a check. ``saw``: what was seen, or what was wrong."""

    name: str
    ok: bool
    seconds: float
    saw: str


class Smoke:
    """The checks of one deployment.

    Args:
        api: the deployment.
        timeout_seconds: how long one thing may take.
        interval_seconds: time between two looks.
        keep: whether the runs stay.
    """

    def __init__(self, api: Api, *, timeout_seconds: float, interval_seconds: float, keep: bool = False) -> None:
        self._api = api
        self._timeout_seconds = timeout_seconds
        self._interval_seconds = interval_seconds
        self._keep = keep
        self._mark = secrets.token_hex(4)
        self._runs: list[str] = []
        self._answers = False

    def outcomes(self, began: Callable[[str], None] = lambda _: None) -> Iterator[Outcome]:
        """Plays each check and tells what became of it; ``began`` is told the name of each before.

        A deployment that does not answer, or takes no definitions, is not asked for more.
        """
        for name, check in (("health", self._health), ("definitions", self._definitions)):
            began(name)
            outcome = _played(name, check)
            yield outcome
            if not outcome.ok and not (name == "health" and self._answers):
                return
        try:
            for name, check in (
                ("chained steps", self._chain),
                ("delayed retry", self._retry),
                ("webhook", self._webhook),
                ("hold", self._hold),
                ("cancel", self._cancel),
                ("large value", self._large),
            ):
                began(name)
                yield _played(name, check)
        except BaseException:
            # Ctrl-C above all: nothing stays behind that nobody asked for.
            self._clean_up()
            raise
        began("clean up")
        yield _played("clean up", self._clean_up)

    # --- the checks ----------------------------------------------------------------------------

    def _health(self) -> str:
        document = self._api.get("/health").document
        self._answers = True
        parts = ", ".join(f"{name} {value}" for name, value in document.items())
        if document.get("status") != "ok":
            raise CheckFailed(parts)
        return parts

    def _definitions(self) -> str:
        for definition in ALL:
            self._api.put(workflow_path(str(definition["name"])), definition)
        return f"{len(ALL)} put"

    def _chain(self) -> str:
        run_id = self._start(CHAIN)
        began = time.monotonic()
        run = self._ended(run_id)
        took_ms = (time.monotonic() - began) * 1000
        _expect(run.get("output") == {"count": ROUNDS}, f"the output is {run.get('output')!r}")
        steps = sum(1 for entry in self._history(run_id) if entry.get("kind") == "succeeded")
        _expect(steps == 2 * ROUNDS + 1, f"{steps} steps succeeded; {2 * ROUNDS + 1} should")
        return f"{steps} steps, one by one, {took_ms / steps:.0f} ms each"

    def _retry(self) -> str:
        run_id = self._start(RETRY)
        run = self._ended(run_id)
        _expect(run.get("status") == "completed", f"the run is {run.get('status')}")
        attempts = [entry for entry in self._history(run_id) if entry.get("nodeId") == "outage"]
        _expect([entry.get("attempt") for entry in attempts] == [1, 2], f"there were {len(attempts)} attempts, not 2")
        waited_ms = _number(attempts[1], "at") - _number(attempts[0], "at")
        _expect(waited_ms >= RETRY_MS, f"the second attempt came after {waited_ms} ms, before its time")
        return f"2 attempts, {waited_ms / 1000:.1f} s apart where {RETRY_MS / 1000:.0f} s were asked for"

    def _webhook(self) -> str:
        run_id = self._start(WAIT)
        wait = self._until(run_id, _waits, "waits").get("wait")
        link = str(wait.get("callbackUrl")) if isinstance(wait, Mapping) else ""
        split = urlsplit(link)
        # As whoever was sent the link would: with no credentials.
        outside = Api(f"{split.scheme}://{split.netloc}")
        told = outside.get(link).document
        _expect(told.get("workflowId") == run_id, f"GET of the link tells {told!r}")
        outside.post(link, _ANSWER)
        run = self._ended(run_id)
        _expect(run.get("output") == {"answer": _ANSWER}, f"the output is {run.get('output')!r}")
        return f"the link of {split.netloc} was answered without credentials"

    def _hold(self) -> str:
        run_id = self._start(WAIT)
        self._until(run_id, _waits, "waits")
        self._api.post(run_path(run_id, "pause"), {"reason": "refluxo smoke"})
        self._api.post(run_path(run_id, "signals", SIGNAL), _ANSWER)
        for _ in range(_LOOKS_WHILE_HELD):
            time.sleep(self._interval_seconds)
            run = self._api.get(run_path(run_id)).document
            _expect("held" in run and run.get("status") == "paused", f"held, the run is {run.get('status')}")
        self._api.post(run_path(run_id, "resume"), {"reason": "refluxo smoke"})
        run = self._ended(run_id)
        _expect(run.get("output") == {"answer": _ANSWER}, f"the output is {run.get('output')!r}")
        return "a signal waited for the hold to be lifted, and was taken then"

    def _cancel(self) -> str:
        run_id = self._start(WAIT)
        self._until(run_id, _waits, "waits")
        self._api.post(run_path(run_id, "cancel"), {"reason": "refluxo smoke"})
        status = self._ended(run_id).get("status")
        _expect(status == "cancelled", f"the run is {status}")
        return "a waiting run is cancelled"

    def _large(self) -> str:
        text = base64.b64encode(secrets.token_bytes(LARGE_BYTES)).decode()
        run = self._ended(self._start(LARGE, {"text": text}))
        _expect(run.get("output") == {"text": text}, "the output is not what was put in")
        return f"{len(text) // 1024} KB, more than an item of the table holds, came back as they went in"

    def _clean_up(self) -> str:
        if self._keep:
            return f"kept, with the tag refluxo-smoke={self._mark}"
        left = [run_id for run_id in self._runs if not self._removed(run_id)]
        self._runs = left
        if left:
            raise CheckFailed(f"these runs could not be removed: {', '.join(left)}")
        return "the runs are removed; the definitions stay"

    # --- what they are made of -----------------------------------------------------------------

    def _start(self, definition: Definition, run_input: object = None) -> str:
        name = str(definition["name"])
        run_id = f"{name}-{self._mark}-{len(self._runs) + 1}"
        body: dict[str, object] = {"workflowId": run_id, "tags": {"refluxo-smoke": self._mark}}
        self._runs.append(run_id)
        self._api.post(workflow_path(name, "runs"), body if run_input is None else {**body, "input": run_input})
        return run_id

    def _ended(self, run_id: str) -> Mapping[str, object]:
        return self._until(run_id, lambda run: run.get("status") in ENDED, "ends")

    def _until(self, run_id: str, reached: Callable[[Mapping[str, object]], bool], what: str) -> Mapping[str, object]:
        run: Mapping[str, object] = {}
        looks = versions_of(
            self._api,
            run_id,
            interval_seconds=self._interval_seconds,
            patience_seconds=self._timeout_seconds,
        )
        for run in looks:
            if reached(run):
                return run
        where = error_of(run) or f"{run.get('status')} at {run.get('currentNodeId')}"
        raise CheckFailed(f"run {run_id} never {what}; after {self._timeout_seconds:.0f} s it is {where}")

    def _history(self, run_id: str) -> list[Mapping[str, object]]:
        return [entry for page in pages(self._api, run_id, after=0, limit=None) for entry in entries_of(page)]

    def _removed(self, run_id: str) -> bool:
        try:
            if self._api.get(run_path(run_id)).document.get("status") not in ENDED:
                self._api.post(run_path(run_id, "cancel"), {"reason": "refluxo smoke cleans up"})
            while self._api.delete(run_path(run_id)).document.get("removed") is False:
                continue
        except ApiError as error:
            return error.exit_code == NOT_FOUND
        return True


def _played(name: str, check: Callable[[], str]) -> Outcome:
    began = time.monotonic()
    try:
        ok, saw = True, check()
    except (CheckFailed, CommandError) as error:
        advice = error.advice if isinstance(error, CommandError) else None
        ok, saw = False, str(error) if advice is None else f"{error}; {advice}"
    return Outcome(name, ok, round(time.monotonic() - began, 3), saw)


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise CheckFailed(otherwise)


def _waits(run: Mapping[str, object]) -> bool:
    return run.get("status") == "paused" and isinstance(run.get("wait"), Mapping)


def _number(entry: Mapping[str, object], name: str) -> int:
    value = entry.get(name)
    return value if isinstance(value, int) else 0
