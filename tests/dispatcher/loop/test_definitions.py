"""A run is pinned to its definition; what is deployed since changes nothing under it."""

from __future__ import annotations

from typing import Any

from engine import Registry, Status
from engine.json_value import JsonValue
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.virtual_time import SECOND


def _say(word: str, *, name: str = "said") -> Registry:
    nodes = [
        {"id": "wait", "type": "core:wait", "data": {"signal": "go"}},
        {"id": name, "type": "core:set", "data": {"word": word}},
    ]
    return examples.registry("say", nodes, [("wait", name)])


def test_a_definition_replaced_in_flight_does_not_change_a_running_run(new_loop: NewLoop) -> None:
    """The run goes on as it began; a run started after the deploy follows the new one."""
    loop = new_loop(_say("old"))
    loop.start("say", run="before")
    loop.settle()
    loop.deploy(_say("new", name="renamed"))
    loop.start("say", run="after")
    loop.settle()
    for run in ("before", "after"):
        loop.signal("go", run=run)
    loop.settle()
    assert loop.snapshot("before").output == {"word": "old"}
    assert loop.snapshot("after").output == {"word": "new"}


def test_old_and_new_code_alternate(new_loop: NewLoop) -> None:
    """While a deploy is in flight both kinds of process deliver; each run keeps its own definition."""
    loop = new_loop(_say("old"))
    loop.start("say", run="run-old")
    loop.deploy(_say("new"))
    loop.start("say", run="run-new")
    for word in ("old", "new"):
        loop.deploy(_say(word))
        loop.deliver()
    for run in ("run-old", "run-new"):
        loop.signal("go", run=run)
        loop.deploy(_say("old" if run == "run-new" else "new"))
        loop.settle()
    assert loop.snapshot("run-old").output == {"word": "old"}
    assert loop.snapshot("run-new").output == {"word": "new"}


def test_a_workflow_that_is_gone_still_ends_its_runs(new_loop: NewLoop) -> None:
    """Removed from the registry: no new run starts, the running one ends by what was stored."""
    loop = new_loop(_say("old"))
    loop.start("say")
    loop.settle()
    loop.deploy(examples.chain(1))
    assert loop.ask("POST", "/workflows/say/runs", {}).status == 404
    loop.signal("go")
    loop.settle()
    assert loop.snapshot().output == {"word": "old"}


def test_each_version_is_stored_once(new_loop: NewLoop) -> None:
    """Many runs, many processes: one immutable item for each version of a definition."""
    loop = new_loop(_say("old"))
    for number in range(3):
        loop.start("say", run=f"run-{number}")
        loop.restart()
    loop.deploy(_say("new"))
    loop.start("say", run="run-9")
    versions = [item["sk"]["S"] for item in loop.items() if item["pk"]["S"] == "workflow#say"]
    assert len(versions) == len(set(versions)) == 2


def _typed(node_type: str) -> Registry:
    made = Registry()

    @made.node(node_type)
    def give(_data: JsonValue) -> JsonValue:
        """Gives the type's name."""
        return node_type

    nodes = [{"id": "wait", "type": "core:wait"}, {"id": "last", "type": node_type}]
    examples.add(made, "typed", nodes, [("wait", "last")])
    return made


def test_a_type_no_longer_registered_fails_its_step_with_its_name(new_loop: NewLoop) -> None:
    """The run fails at that step, by UnknownNodeType, and the type is named; no message is delivered for ever."""
    loop = new_loop(_typed("old:type"))
    loop.start("typed")
    loop.settle()
    loop.deploy(_typed("new:type"))
    loop.ask("POST", "/runs/run-1/resume")
    loop.settle()
    snapshot = loop.snapshot()
    assert snapshot.status is Status.FAILED
    assert snapshot.current_node_id == "last"
    assert snapshot.error is not None
    assert snapshot.error.error_type == "UnknownNodeType"
    assert "'old:type'" in (snapshot.error.error or "")
    assert loop.failures == 0


def test_a_definition_that_is_nowhere_fails_the_run(new_loop: NewLoop) -> None:
    """Neither registered nor stored: the run fails and says so, instead of coming back for ever."""
    loop = new_loop(_say("old"))
    loop.start("say")
    (stored,) = [item for item in loop.items() if item["pk"]["S"] == "workflow#say"]
    loop.dynamodb.delete_item(TableName=loop.resources.table_name, Key={"pk": stored["pk"], "sk": stored["sk"]})
    loop.deploy(_say("new"))
    loop.settle()
    snapshot = loop.snapshot()
    assert snapshot.status is Status.FAILED
    assert snapshot.error is not None
    assert snapshot.error.error_type == "UnknownWorkflow"


def test_idempotency_keys_are_a_run_s_own(new_loop: NewLoop) -> None:
    """Another run of the same id, begun after the first was deleted, has other keys: it is another run."""
    loop = new_loop(examples.retry(SECOND, failures=2))
    keys = set()
    for _ in range(2):
        loop.start("retry")
        loop.settle()
        output: Any = loop.snapshot().context.outputs("flaky")[0]
        assert output["attempt"] == 3
        keys.add(output["key"])
        loop.dynamodb.delete_item(
            TableName=loop.resources.table_name, Key={"pk": {"S": "run#run-1"}, "sk": {"S": "head"}}
        )
    assert len(keys) == 2
