"""Values that no item can hold go through the bucket; the run does not notice."""

from __future__ import annotations

import pytest

from dispatcher.limits import ITEM_BYTES_MAX
from engine import Registry, Status, Step
from tests.dispatcher import examples, long_examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop
from tests.dispatcher.values import incompressible
from tests.dispatcher.wiretap import answer_500, crash, lose_the_answer

MEGABYTE = 1024 * 1024

# In the head, in an item of its own, in the bucket.
SIZES = (100, 20_000, MEGABYTE)


def _in_bucket(loop: MotoLoop) -> list[str]:
    listed = loop._observer.s3().list_objects_v2(Bucket=loop.settings.payload_bucket)
    return [entry["Key"] for entry in listed.get("Contents", [])]


def _blobs(loop: MotoLoop) -> int:
    return len([item for item in loop.items() if item["sk"]["S"].startswith("blob#")])


@pytest.mark.parametrize("size", SIZES)
def test_input_output_and_payload_of_any_size(new_loop: NewLoop, size: int) -> None:
    """Each is where its size belongs, and comes back whole, in expressions and in the API, by a fresh process."""
    loop = new_loop(long_examples.large(size))
    text = incompressible(size, "input")
    loop.start("large", {"text": text})
    loop.settle()
    loop.restart()
    payload = {"text": incompressible(size, "payload")}
    assert loop.signal("go", payload).status == 202
    loop.settle()
    lengths = dict.fromkeys(("input", "output", "payload"), len(text))
    assert loop.snapshot().output == lengths
    shown = loop.ask("GET", "/runs/run-1").body
    assert shown["input"] == {"text": text}
    assert shown["output"] == lengths
    assert shown["context"]["wait"][0]["output"] == payload
    kept = (_blobs(loop), len(_in_bucket(loop)))
    assert kept == {100: (0, 0), 20_000: (3, 0), MEGABYTE: (0, 3)}[size]
    assert set(loop.executed().values()) == {1, 2}
    assert loop.failures == 0


def test_the_same_value_is_kept_once(new_loop: NewLoop) -> None:
    """Its key tells its content: input, output and payload are one object when they are equal."""
    size = 20_000
    loop = new_loop(long_examples.large(size))
    loop.start("large", {"text": incompressible(size)})
    loop.settle()
    loop.signal("go", {"text": incompressible(size)})
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    assert _blobs(loop) == 1


def test_a_run_keeps_values_under_its_own_name(new_loop: NewLoop) -> None:
    """So that they go with it, and with no other."""
    loop = new_loop(long_examples.large(MEGABYTE))
    for run in ("run-1", "run-10"):
        loop.start("large", {"text": incompressible(MEGABYTE, "input")}, run=run)
    loop.settle()
    keys = _in_bucket(loop)
    assert len([key for key in keys if key.startswith("runs/run-1/")]) == 2
    assert len([key for key in keys if key.startswith("runs/run-10/")]) == 2


def test_two_values_that_no_item_could_hold_together(new_loop: NewLoop) -> None:
    """A large result, then a large payload that a step takes, fails with and takes again: each is kept elsewhere."""
    large, also_large = incompressible(160 * 1024), incompressible(210 * 1024, "also")
    loop = new_loop(examples.big_wait(large, fails=True))
    loop.start("big-wait")
    loop.settle()
    loop.new_process().front_door.signal("run-1", "go", also_large, idempotency_key="a")
    loop.settle()
    error = loop.snapshot().error
    assert loop.snapshot().status is Status.FAILED
    assert error is not None
    assert error.error_type == "Unavailable"
    assert loop.executed()["wait"] == 4
    pending = loop.head().pending
    assert pending is not None
    assert loop.failures == 0


def test_a_value_changed_by_its_reader_is_whole_for_the_next(new_loop: NewLoop) -> None:
    """What a process remembers of a value is nobody's to change: a node that empties its input harms no later one."""
    made = Registry()

    @made.node("test:spoil")
    def spoil(_data: object, step: Step) -> object:
        """Empties what it was given."""
        assert isinstance(step.external_payload, dict)
        step.external_payload.clear()
        return "done"

    nodes = [{"id": "spoil", "type": "test:spoil"}, {"id": "end", "type": "core:set", "data": "{{ run.input.n }}"}]
    examples.add(made, "spoil", nodes, [("spoil", "end")])
    loop = new_loop(made)
    loop.start("spoil", {"n": 7, "pad": incompressible(20_000)})
    loop.settle()
    assert loop.snapshot().output == 7


@pytest.mark.parametrize("fault", [crash, lose_the_answer, answer_500])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_start_whose_input_is_put_elsewhere_survives_a_fault(new_loop: NewLoop, when: str, fault: object) -> None:
    """The caller tries again: one run, its input whole; no head ever refers to what is not there."""
    loop = new_loop(long_examples.large(100))
    loop.tap.on("PutObject", when, fault)  # type: ignore[arg-type]
    text = incompressible(ITEM_BYTES_MAX + 1024)
    loop.start("large", {"text": text})
    assert loop.head().version == 0
    loop.settle()
    assert loop.snapshot().to_json()["input"] == {"text": text}
    assert loop.executed() == {"give": 1, "wait": 1}
