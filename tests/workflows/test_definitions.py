"""Each example is two texts of one workflow, the file and the builder's, and can be drawn."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path

import pytest

import workflows
from engine import Flow, mermaid
from workflows import registry

ROOM = Path(workflows.__file__).parent
PAGE = ROOM.parent / "docs" / "examples.md"
EXAMPLES = sorted(path.stem for path in (ROOM / "definitions").glob("*.json"))


def _flow(example: str) -> Flow:
    flow = import_module(f"workflows.flows.{example}").flow
    assert isinstance(flow, Flow)
    return flow


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_builder_comes_to_the_file(example: str) -> None:
    """Not only to the same version: to the same JSON, in the same order."""
    text = (ROOM / "definitions" / f"{example}.json").read_text("utf-8")
    written = _flow(example).to_json()
    assert written == json.loads(text)
    assert written["name"] == example.replace("_", "-")


def test_every_flow_has_its_file() -> None:
    """A flow without a file would be registered nowhere."""
    flows = {path.stem for path in (ROOM / "flows").glob("*.py")} - {"__init__"}
    assert flows == set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_registered_told_and_drawn(example: str) -> None:
    """It says what it is for, has no node that nothing leads to, and each of its nodes is in its drawing."""
    definition = registry.workflow(example.replace("_", "-"))
    assert definition.description
    assert definition.warnings == ()
    drawing = mermaid(definition)
    assert all(f"{node.id}<br/>" in drawing for node in definition.nodes)


def test_the_page_of_examples_tells_of_each() -> None:
    """In a section of its own, and every file that the page leads to is there."""
    page = PAGE.read_text("utf-8")
    sections = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert sorted(sections) == [example.replace("_", "-") for example in EXAMPLES]
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page)
    assert len(links) > len(EXAMPLES)
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_every_node_type_tells_what_it_takes_and_gives() -> None:
    """An editor shows the docstring and builds its form from the schema."""
    types = {str(each["type"]): each for each in registry.describe_node_types() if isinstance(each, dict)}
    own = {name: each for name, each in types.items() if not name.startswith("core:")}
    assert own
    for name, described in own.items():
        assert described["description"], name
        assert described["input"], name
        assert described["output"], name
