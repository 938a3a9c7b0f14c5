"""file-arrived: what becomes of a file by its kind."""

from __future__ import annotations

import pytest

from engine.json_value import JsonValue
from local import LocalRunner
from local.mortal_ports import Boundary
from tests.workflows import BOUNDARIES, NewRunner, pair


def _detail(key: str, size: int = 120) -> JsonValue:
    """What the event says of a file."""
    return {
        "version": "0",
        "bucket": {"name": "refluxo-uploads"},
        "object": {"key": key, "size": size, "etag": "d41d8cd98f00b204", "sequencer": "0062E99A88DC407460"},
        "reason": "PutObject",
    }


@pytest.mark.parametrize(
    ("key", "treated"),
    [
        ("in/orders.csv", "table"),
        ("in/ORDERS.CSV", "table"),
        ("cat.jpg", "picture"),
        ("cat.v2.png", "picture"),
        ("notes.txt", "other"),
        ("README", "other"),
    ],
)
def test_a_file_is_treated_by_its_kind(refluxo_runner: LocalRunner, key: str, treated: str) -> None:
    """The suffix decides, in any letters; what has none is looked at by a person."""
    result = refluxo_runner.start("file-arrived", _detail(key)).result()
    assert isinstance(result, dict)
    assert (result["file"], result["as"]) == (f"s3://refluxo-uploads/{key}", treated)


def test_an_empty_file_fails_the_run(refluxo_runner: LocalRunner) -> None:
    """It is in the register all the same."""
    run = refluxo_runner.start("file-arrived", _detail("orders.csv", size=0)).assert_failed("EmptyFile")
    run.assert_executed("recorded", "empty", "refused")


@pytest.mark.parametrize("crash_after", BOUNDARIES)
def test_dying_processes_and_duplicates_change_nothing(new_refluxo_runner: NewRunner, crash_after: Boundary) -> None:
    """One entry in the register, the same for every repetition."""
    calm, rough = pair(new_refluxo_runner, crash_after)
    detail = _detail("orders.csv")
    runs = [runner.start("file-arrived", detail, workflow_id="same").until_ended() for runner in (calm, rough)]
    assert rough.crashes
    runs[1].assert_executed("recorded", "empty", "kind", "table")
    assert runs[0].outputs("recorded") == runs[1].outputs("recorded")
