"""GET /workflows, GET and PUT /workflows/{name}, GET /node-types: workflows as data."""

from __future__ import annotations

from typing import Any, Final

import pytest

from dispatcher.limits import DESCRIPTION_CHARACTERS_MAX, ITEM_BYTES_MAX, PUT_TRIES
from engine import Registry, Status
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import Answer, MotoLoop
from tests.dispatcher.values import incompressible
from tests.dispatcher.wiretap import Call, crash, lose_the_answer


def _greeting(word: str = "Hello", **more: object) -> dict[str, Any]:
    data = {"text": word + ", {{ run.input }}"}
    return {"nodes": [{"id": "greet", "type": "core:set", "data": data}], **more}


def _waiting(word: str) -> dict[str, Any]:
    nodes = [{"id": "wait", "type": "core:wait", "data": {"signal": "go"}}, *_greeting(word)["nodes"]]
    return {"nodes": nodes, "edges": [{"source": "wait", "target": "greet"}]}


PATH: Final = "/workflows/greeting"


@pytest.fixture
def loop(new_loop: NewLoop) -> MotoLoop:
    """A deployment of one workflow in code, ``wait``."""
    return new_loop(examples.wait())


def _output(loop: MotoLoop, run: str) -> object:
    loop.start("greeting", "you", run=run)
    loop.settle()
    return loop.snapshot(run).output


def _faults(answer: Answer) -> list[str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return [fault["path"] for fault in answer.body["errors"]]


class TestPut:
    """PUT /workflows/{name}."""

    def test_a_new_workflow_is_there_at_once(self, loop: MotoLoop) -> None:
        """201 and where; runs start of it, and another process knows it too."""
        answer = loop.http("PUT", PATH, _greeting())
        assert answer.status == 201
        assert answer.headers["location"] == PATH
        assert answer.headers["etag"] == f'"{answer.body["version"]}"'
        assert answer.body == {
            "name": "greeting",
            "version": answer.body["version"],
            "changed": True,
            "warnings": [],
        }
        loop.restart()
        assert _output(loop, "a") == {"text": "Hello, you"}
        assert loop.snapshot("a").definition == ("greeting", answer.body["version"])

    def test_the_same_content_changes_nothing(self, loop: MotoLoop) -> None:
        """200, however it is written; nothing is written to the table."""
        version = loop.http("PUT", PATH, _greeting()).body["version"]
        loop.tap.clear()
        for same in (_greeting(), _greeting(name="greeting", edges=[], start="greet"), _greeting(version=version)):
            answer = loop.http("PUT", PATH, same)
            assert (answer.status, answer.body["version"], answer.body["changed"]) == (200, version, False)
        assert [call for call in loop.tap.calls if call.operation == "UpdateItem"] == []

    def test_what_is_put_counts_from_the_next_start_on(self, loop: MotoLoop) -> None:
        """200; the process that has started the old one before starts the new one, for another may have put it."""
        loop.http("PUT", PATH, _greeting())
        assert _output(loop, "a") == {"text": "Hello, you"}
        other = loop.app
        loop.restart()
        assert loop.http("PUT", PATH, _greeting("Goodbye")).status == 200
        loop.app = other
        assert _output(loop, "b") == {"text": "Goodbye, you"}

    def test_a_run_keeps_the_version_it_began_with(self, loop: MotoLoop) -> None:
        """Whatever is put while it waits."""
        loop.http("PUT", PATH, _waiting("Hello"))
        loop.start("greeting", "you")
        loop.settle()
        loop.http("PUT", PATH, _waiting("Goodbye"))
        loop.restart()
        loop.signal("go")
        loop.settle()
        assert loop.snapshot().output == {"text": "Hello, you"}

    def test_a_failed_run_goes_on_by_what_is_put(self, loop: MotoLoop) -> None:
        """An operator's retry with the latest version."""
        broken = {"nodes": [{"id": "greet", "type": "core:fail", "data": {"error": "E", "message": "m"}}]}
        loop.http("PUT", PATH, broken)
        loop.start("greeting", "you")
        loop.settle()
        assert loop.snapshot().status is Status.FAILED
        loop.http("PUT", PATH, _greeting())
        loop.ask("POST", "/runs/run-1/retry", {"definition": "latest"})
        loop.settle()
        assert loop.snapshot().output == {"text": "Hello, you"}

    def test_every_fault_with_its_path(self, loop: MotoLoop) -> None:
        """422: those of the structure, and those that only the registry can see; nothing is written."""
        before = loop.items()
        crooked = {"nodes": [{"id": "a", "type": "core:set"}, {"id": "a", "type": 7}], "edges": [{"source": "x"}]}
        answer = loop.http("PUT", PATH, crooked)
        assert answer.status == 422
        assert _faults(answer) == ["$.nodes[1].type", "$.edges[0].target", "$.nodes[1].id"]
        unknown: dict[str, Any] = {
            "nodes": [
                {"id": "a", "type": "no:type"},
                {"id": "b", "type": "core:set", "data": {"x": "{{ 1 + }}"}},
                {"id": "c", "type": "core:wait", "data": {"signals": "go"}},
            ],
            "edges": [{"source": "c", "target": "a", "sourceHandle": "never"}],
            "input": {"type": "no type"},
        }
        answer = loop.http("PUT", PATH, unknown)
        assert answer.status == 422
        expected = ["$.nodes[0].type", "$.nodes[1].data.x", "$.nodes[2].data.signals", "$.edges[0].sourceHandle"]
        assert _faults(answer) == [*expected, "$.input.type"]
        unknown["edges"].append({"source": "c", "target": "nowhere"})
        answer = loop.http("PUT", PATH, unknown)
        assert _faults(answer) == ["$.edges[1].target", *expected, "$.input.type"]
        assert loop.items() == before

    @pytest.mark.parametrize("body", [None, [], "text", 7])
    def test_a_body_that_is_no_definition(self, loop: MotoLoop, body: object) -> None:
        """422 with the whole of it named."""
        answer = loop.http("PUT", PATH, body)
        assert (answer.status, _faults(answer)) == (422, ["$"])

    def test_a_name_in_the_body_is_the_one_in_the_path(self, loop: MotoLoop) -> None:
        """Or it is left out."""
        for name in ("other", None, 7):
            answer = loop.http("PUT", PATH, _greeting(name=name))
            assert (answer.status, _faults(answer)) == (422, ["$.name"])
        assert loop.http("PUT", PATH, _greeting(name="greeting")).status == 201

    def test_a_name_of_code_is_the_code_s(self, loop: MotoLoop) -> None:
        """409, whatever is put; nothing is written."""
        before = loop.items()
        answer = loop.http("PUT", "/workflows/wait", _greeting())
        assert answer.status == 409
        assert "registered in code" in answer.body["detail"]
        assert loop.items() == before

    def test_code_that_takes_a_name_has_it(self, loop: MotoLoop) -> None:
        """From the deploy on; what was put is there again when the code goes."""
        version = loop.http("PUT", PATH, _greeting()).body["version"]
        registry = examples.wait()
        registry.add({"name": "greeting", "nodes": [{"id": "code", "type": "core:set", "data": "code"}]})
        loop.deploy(registry)
        assert _output(loop, "a") == "code"
        assert [known["source"] for known in loop.http("GET", "/workflows").body["workflows"]] == ["code", "code"]
        loop.deploy(examples.wait())
        assert loop.http("GET", PATH).body["version"] == version

    def test_what_is_odd_is_told(self, loop: MotoLoop) -> None:
        """A node that nothing leads to is a warning."""
        nodes = [*_greeting()["nodes"], {"id": "alone", "type": "core:set"}]
        answer = loop.http("PUT", PATH, {"nodes": nodes})
        assert answer.status == 201
        assert [warning["path"] for warning in answer.body["warnings"]] == ["$.nodes[1]"]

    def test_a_definition_has_a_size(self, loop: MotoLoop) -> None:
        """413, and the name stays free."""
        answer = loop.http("PUT", PATH, _greeting(incompressible(ITEM_BYTES_MAX + 1)))
        assert answer.status == 413
        assert loop.http("GET", PATH).status == 404


class TestConditions:
    """If-Match and If-None-Match of a PUT."""

    def test_only_a_new_name(self, loop: MotoLoop) -> None:
        """412 when somebody has put it: also when it is the same."""
        new = {"If-None-Match": "*"}
        assert loop.http("PUT", PATH, _greeting(), new).status == 201
        for definition in (_greeting(), _greeting("Goodbye")):
            assert loop.http("PUT", PATH, definition, new).status == 412
        assert _output(loop, "a") == {"text": "Hello, you"}

    def test_only_the_version_that_was_read(self, loop: MotoLoop) -> None:
        """412 when another has been put since; the ETag of the refused caller's version is not lost."""
        loop.http("PUT", PATH, _greeting())
        read = {"If-Match": loop.http("GET", PATH).headers["etag"]}
        assert loop.http("PUT", PATH, _greeting("Goodbye"), read).status == 200
        answer = loop.http("PUT", PATH, _greeting("Hi"), read)
        assert (answer.status, answer.body["title"]) == (412, "Precondition failed")
        assert _output(loop, "a") == {"text": "Goodbye, you"}

    def test_a_repeat_of_what_was_done_is_done(self, loop: MotoLoop) -> None:
        """The answer was lost, and the version is the caller's own by now."""
        loop.http("PUT", PATH, _greeting())
        read = {"If-Match": loop.http("GET", PATH).headers["etag"]}
        for changed in (True, False):
            answer = loop.http("PUT", PATH, _greeting("Goodbye"), read)
            assert (answer.status, answer.body["changed"]) == (200, changed)

    @pytest.mark.parametrize("condition", ["*", '"1"', '"1", W/"2"'])
    def test_of_a_name_that_is_not_there(self, loop: MotoLoop, condition: str) -> None:
        """412: there is nothing to match."""
        assert loop.http("PUT", PATH, _greeting(), {"If-Match": condition}).status == 412
        assert loop.http("GET", PATH).status == 404


class TestRaces:
    """Two who put at the same time."""

    def _rival(self, loop: MotoLoop, word: str) -> None:
        rival = loop.new_process()
        event = {
            "rawPath": PATH,
            "requestContext": {"http": {"method": "PUT"}},
            "body": f'{{"nodes": [{{"id": "greet", "type": "core:set", "data": {{"text": "{word}"}}}}]}}',
        }
        assert rival.http_api.handle(event)["statusCode"] in {200, 201}

    def _interposed(self, loop: MotoLoop, *words: str) -> None:
        """Rivals, each right before the caller's pointer is written."""
        waiting = list(words)

        def before(call: Call) -> None:
            if call.parameters["Item"]["pk"]["S"] == "workflows" and waiting:
                self._rival(loop, waiting.pop(0))

        loop.tap.on("PutItem", "before", before, times=100)

    def test_the_last_one_wins_without_a_condition(self, loop: MotoLoop) -> None:
        """It looks again, and is not told of the other."""
        self._interposed(loop, "rival")
        answer = loop.http("PUT", PATH, _greeting())
        assert (answer.status, answer.body["changed"]) == (200, True)
        assert _output(loop, "a") == {"text": "Hello, you"}

    @pytest.mark.parametrize("condition", [{"If-None-Match": "*"}, {"If-Match": "*"}])
    def test_with_a_condition_the_first_one_does(self, loop: MotoLoop, condition: dict[str, str]) -> None:
        """The condition is of the state that is replaced, not of one that was read long before."""
        if "If-Match" in condition:
            loop.http("PUT", PATH, _greeting("Before"))
            condition = {"If-Match": loop.http("GET", PATH).headers["etag"]}
        self._interposed(loop, "rival")
        assert loop.http("PUT", PATH, _greeting(), condition).status == 412
        assert _output(loop, "a") == {"text": "rival"}

    def test_one_that_never_gets_its_turn_is_asked_to_come_again(self, loop: MotoLoop) -> None:
        """503 after some tries, rather than for ever."""
        self._interposed(loop, *(f"rival {number}" for number in range(PUT_TRIES)))
        assert loop.http("PUT", PATH, _greeting()).status == 503

    @pytest.mark.parametrize("fault", [lose_the_answer, crash])
    @pytest.mark.parametrize("index", range(4))
    def test_a_put_that_is_cut_off_and_repeated(self, loop: MotoLoop, fault: Any, index: int) -> None:
        """At any of its calls, before it or after: the name points at a whole definition, or at nothing."""
        loop.tap.clear()
        loop.tap.at(index, "after", fault)
        answer = loop.ask("PUT", PATH, _greeting())
        assert answer.status in {200, 201}
        assert _output(loop, "a") == {"text": "Hello, you"}


class TestShow:
    """GET /workflows/{name}."""

    @pytest.mark.parametrize("stored", [True, False])
    def test_what_is_told_can_be_put_again(self, loop: MotoLoop, stored: bool) -> None:
        """The definition with its version, of code or as put."""
        if stored:
            loop.http("PUT", "/workflows/greeting", _greeting(description="Says hello."))
        name = "greeting" if stored else "wait"
        answer = loop.http("GET", f"/workflows/{name}")
        assert answer.status == 200
        assert answer.body["name"] == name
        assert answer.headers["etag"] == f'"{answer.body["version"]}"'
        again = loop.http("PUT", "/workflows/copy", {**answer.body, "name": "copy"})
        assert again.status == 201

    def test_an_old_version(self, loop: MotoLoop) -> None:
        """Any that was ever put, or that a run of code has begun with."""
        first = loop.http("PUT", PATH, _greeting()).body["version"]
        second = loop.http("PUT", PATH, _greeting("Goodbye")).body["version"]
        for version, word in ((first, "Hello"), (second, "Goodbye")):
            body = loop.http("GET", f"{PATH}?version={version}").body
            assert (body["version"], body["nodes"]) == (version, _greeting(word)["nodes"])
        loop.start("wait")
        pinned = loop.snapshot().definition
        assert pinned is not None
        loop.deploy(Registry())
        assert loop.http("GET", f"/workflows/wait?version={pinned.version}").body["version"] == pinned.version

    def test_a_version_that_the_caller_has(self, loop: MotoLoop) -> None:
        """304."""
        etag = loop.http("PUT", PATH, _greeting()).headers["etag"]
        answer = loop.http("GET", PATH, headers={"If-None-Match": etag})
        assert (answer.status, answer.headers["etag"], answer.body) == (304, etag, None)
        assert loop.http("GET", PATH, headers={"If-None-Match": '"x"'}).status == 200

    def test_what_is_not_there(self, loop: MotoLoop) -> None:
        """404 for a name and for a version, 400 for what can be none."""
        loop.http("PUT", "/workflows/another", _greeting())
        answer = loop.http("GET", PATH)
        assert answer.status == 404
        assert answer.body["detail"] == "there is no workflow 'greeting'; there are: another, wait"
        assert loop.http("GET", "/workflows/wait?version=abc").status == 404
        answer = loop.http("GET", "/workflows/wait?version=a/b")
        assert (answer.status, _faults(answer)) == (400, ["query.version"])
        answer = loop.http("GET", "/workflows/a~b")
        assert (answer.status, _faults(answer)) == (400, ["path.name"])


class TestList:
    """GET /workflows."""

    def test_code_and_data_by_name(self, loop: MotoLoop) -> None:
        """With version, description and where each comes from."""
        versions = {
            name: loop.http("PUT", f"/workflows/{name}", _greeting(description=description)).body["version"]
            for name, description in (("z", "Says hello."), ("a", None))
        }
        body = loop.http("GET", "/workflows").body
        assert body["workflows"] == [
            {"name": "a", "version": versions["a"], "description": None, "source": "stored"},
            {
                "name": "wait",
                "version": loop.registry.workflow("wait").version,
                "description": None,
                "source": "code",
            },
            {"name": "z", "version": versions["z"], "description": "Says hello.", "source": "stored"},
        ]

    def test_a_long_description_is_cut(self, loop: MotoLoop) -> None:
        """In the list alone."""
        description = "long " * DESCRIPTION_CHARACTERS_MAX
        loop.http("PUT", PATH, _greeting(description=description))
        assert len(loop.http("GET", "/workflows").body["workflows"][0]["description"]) == DESCRIPTION_CHARACTERS_MAX
        assert loop.http("GET", PATH).body["description"] == description


def test_node_types_are_those_of_the_registry(loop: MotoLoop) -> None:
    """With schemas, handles and documentation, core types and the user's own."""
    body = loop.http("GET", "/node-types").body
    assert body == {"nodeTypes": loop.registry.describe_node_types(["core:http"])}
    assert {"core:set", "core:if", "test:flaky"} <= {node["type"] for node in body["nodeTypes"]}
