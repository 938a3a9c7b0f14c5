"""docs/expressions.md says what is so: every line of its tables is run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine import Registry, Step, WorkflowDefinition
from engine.errors import ExpressionError
from engine.expressions import JexlTransformEngine
from engine.expressions.built_in import BUILT_IN
from engine.expressions.lexer import PRECEDENCE, Source, tokenize
from engine.json_value import JsonObject, JsonValue
from tests.engine.one_node import NOW_MS

PAGE = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text("utf-8")
ENGINE = JexlTransformEngine()
EXAMPLE_NAMES: dict[str, Any] = json.loads(PAGE.split("```json names\n")[1].split("```")[0])


def examples(heading: str) -> list[tuple[str, str]]:
    """The first two cells of each line of the tables under ``| heading | Result |``."""
    found: list[tuple[str, str]] = []
    for table in PAGE.split(f"| {heading} | Result | |\n")[1:]:
        for line in table.splitlines()[1:]:
            if not line.startswith("|"):
                break
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.append((cells[0].removeprefix("`").removesuffix("`"), cells[1].strip("`")))
    return found


def written(value: Any) -> str:
    """A value as the tables write it."""
    return json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize(("expression", "result"), examples("Expression"))
def test_an_expression_of_the_page_has_the_result_beside_it(expression: str, result: str) -> None:
    """One line of a table of expressions."""
    if result == "error":
        with pytest.raises(ExpressionError):
            ENGINE.evaluate(expression, EXAMPLE_NAMES)
    else:
        assert written(ENGINE.evaluate(expression, EXAMPLE_NAMES)) == result


@pytest.mark.parametrize(("text", "result"), examples("Text"))
def test_a_text_of_the_page_has_the_result_beside_it(text: str, result: str) -> None:
    """One line of the table of texts."""
    if result == "error":
        with pytest.raises(ExpressionError):
            ENGINE.transform(text, EXAMPLE_NAMES)
    else:
        assert written(ENGINE.transform(text, EXAMPLE_NAMES)) == result


def test_the_page_shows_every_transform() -> None:
    """No built-in transform is without an example."""
    shown = {name for expression, _ in examples("Expression") for name in re.findall(r"\|(\w+)", expression)}
    assert set(BUILT_IN) <= shown


def test_the_page_shows_every_operator() -> None:
    """Each of two operands, ``!``, and both forms with a question mark."""
    tokens = [
        token for expression, _ in examples("Expression") for token in tokenize(Source(expression, 0, len(expression)))
    ]
    assert set(PRECEDENCE) <= {token.value for token in tokens if token.kind == "operator"}
    assert {"!", "?", ":"} <= {token.kind for token in tokens}
    assert any("?:" in expression for expression, _ in examples("Expression"))


def _thrice(_data: object, step: Step) -> int:
    """Gives 1, then 2, then nothing any more."""
    given = len(step.context["a"])
    if given == 2:
        raise LookupError("there is no more")
    return given + 1


NAMES_IN_A_WORKFLOW: dict[str, JsonValue] = {
    "nodes.<id>.last.data": None,
    ".last.error": "LookupError: there is no more",
    ".last.timestamp": NOW_MS,
    "nodes.<id>.all[0].data": 1,
    "nodes.<id>.output": 2,
    "previous": "between",
    "run.input": {"order": "A-7"},
    "run.id": "run-1",
    "globals": {"shop": "berlin"},
}
"""What each name of the page's first table is for a node that comes after two successes of ``a`` and a failure."""


def test_every_name_of_a_workflow_is_as_the_page_says() -> None:
    """Evaluated in a run; and no name of the table is left out."""
    table = PAGE.split("| Name | Is |\n|---|---|\n")[1].split("\n\n")[0]
    told = [name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line)]
    assert {*told} == {*NAMES_IN_A_WORKFLOW, "input"}
    read: JsonObject = {
        name: "{{ " + re.sub(r"^\.", "nodes.a.", name).replace("<id>", "a") + " }}" for name in NAMES_IN_A_WORKFLOW
    }
    registry = Registry()
    registry.node("test:thrice")(_thrice)
    nodes: list[JsonValue] = [
        {"id": "a", "type": "test:thrice"},
        {"id": "b", "type": "core:set", "data": "between"},
        {"id": "c", "type": "core:set", "data": {"read": read, "plain": 1, "own": "{{ input.plain }}"}},
    ]
    edges: list[JsonValue] = [
        {"source": "a", "target": "a"},
        {"source": "a", "target": "b", "sourceHandle": "error"},
        {"source": "b", "target": "c"},
    ]
    engine = registry.engine(WorkflowDefinition.parse({"nodes": nodes, "edges": edges}))
    ended = engine.execute(
        workflow_id="run-1", external_payload={"order": "A-7"}, globals={"shop": "berlin"}, now_ms=NOW_MS
    )
    assert ended.output == {"read": NAMES_IN_A_WORKFLOW, "plain": 1, "own": 1}


def test_the_page_lists_every_difference() -> None:
    """The list of differences is the one the recording is tested with, word for word."""
    entries = json.loads((Path(__file__).parent / "differences.json").read_text("utf-8"))
    rows = [f"| {entry['difference']} | {entry['reason']} |" for entry in entries]
    table = PAGE.split("| Difference | Reason |\n|---|---|\n")[1].split("\n\n")[0]
    assert table.splitlines() == rows
