"""Golden snapshots: written once, they load and finish for ever, as whatever code comes later.

A file of golden/v1 is never edited. It holds a definition, a snapshot, what happens next and the expected end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine import Snapshot, Status, WorkflowDefinition
from engine.effects import effects_of
from tests.engine.corpus import Player, Shape
from tests.engine.corpus.play import Moment
from tests.engine.corpus.shape import Elapsed, Event, Retry, Signal

GOLDEN = Path(__file__).parent / "golden" / "v1"
FILES = sorted(GOLDEN.glob("*.json"))
NOW_MS = 1_800_000_000_000

EACH_FILE = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    """A golden file."""
    return json.loads(path.read_text(encoding="utf-8"))


def event(document: Any) -> Event:
    """What happens next, as the files write it."""
    match document:
        case {"signal": payload}:
            return Signal(payload)
        case "elapsed":
            return Elapsed()
        case "retry":
            return Retry()
        case _:
            raise ValueError(document)


def finished(golden: Any) -> Snapshot:
    """The golden run, gone on with to its end."""
    player = Player(Shape(name="golden", definition=golden["definition"], status="", executed=""))
    events = tuple(event(item) for item in golden["events"])
    return player.play(Moment(Snapshot.from_json(golden["snapshot"]), NOW_MS, events)).last


def test_there_is_one_of_every_kind() -> None:
    """A snapshot of each status, in mid-loop, in a retry, and plain ones that Refluxo wrote."""
    goldens = {path.stem: read(path) for path in FILES}
    assert {golden["snapshot"]["status"] for golden in goldens.values()} == {status.value for status in Status}
    plain = [golden["snapshot"] for name, golden in goldens.items() if name.startswith("refluxo-")]
    own = {"schemaVersion", "wait", "lastNodeId", "definition", "input", "tags", "tenant", "parent"}
    assert len(plain) >= 2
    assert all(not own & set(snapshot) for snapshot in plain)


@EACH_FILE
def test_a_golden_snapshot_loads(path: Path) -> None:
    """It is read without a loss: every field it has is written again as it was.

    But for the retry that Refluxo leaves in a pause that follows it: it is over.
    """
    snapshot = read(path)["snapshot"]
    written = Snapshot.from_json(snapshot).to_json()
    kept = {key: value for key, value in snapshot.items() if key != "retryState" or snapshot["status"] != "paused"}
    assert {key: written[key] for key in kept} == kept


@EACH_FILE
def test_a_golden_run_finishes_as_it_would_have(path: Path) -> None:
    """It goes on from where it stood: same status, same output, same number of transitions and of results."""
    golden = read(path)
    last = finished(golden)
    assert {
        "status": last.status.value,
        "output": last.output,
        "version": last.version,
        "results": {node_id: len(results) for node_id, results in last.context.items()},
    } == golden["end"]


@EACH_FILE
def test_a_golden_runs_effects_can_be_worked_out(path: Path) -> None:
    """A live run calls for something and an ended one for nothing: no run is lost by an upgrade."""
    snapshot = Snapshot.from_json(read(path)["snapshot"])
    assert bool(effects_of(snapshot)) is not snapshot.status.terminal


@EACH_FILE
def test_a_golden_definition_keeps_its_version(path: Path) -> None:
    """The hash that runs are pinned to does not change with the code."""
    golden = read(path)
    definition = WorkflowDefinition.parse(golden["definition"])
    assert definition.version == golden["version"]
    pinned = golden["snapshot"].get("definition")
    assert pinned is None or pinned == {"name": definition.name, "version": definition.version}
