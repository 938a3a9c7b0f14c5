"""docs/nodes.md tells of every core node type what an editor is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from engine import Registry
from engine.core_nodes import CORE_NODES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "nodes.md").read_text("utf-8")
SECTIONS = {
    match[1]: match[2] for match in re.finditer(r"^## `([^`]+)`.*?\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
DESCRIBED: dict[str, Any] = {
    str(each["type"]): each for each in Registry().describe_node_types() if isinstance(each, dict)
}


def test_every_type_has_a_section_and_no_other_has() -> None:
    """In the order of names."""
    assert list(SECTIONS) == sorted(CORE_NODES)


@pytest.mark.parametrize("node_type", sorted(CORE_NODES))
def test_a_section_tells_of_fields_and_handles(node_type: str) -> None:
    """Each field of the schema, starred when it must be there, and each named handle."""
    section, told = SECTIONS[node_type], DESCRIBED[node_type]
    assert str(told["description"]).splitlines()[0].replace("``", "`") in section
    schema = told["input"] or {"properties": {}}
    rows = re.findall(r"^\| `(\w+)`(\*?) \|", section, re.MULTILINE)
    assert rows == [(name, "*" if name in schema.get("required", []) else "") for name in schema["properties"]]
    handles = "follow from its data" if told["handles"] is None else told["handles"]
    named = re.findall(r"^Named handles: (.+)\.$", section, re.MULTILINE)
    assert named == [handles if isinstance(handles, str) else ", ".join(f"`{name}`" for name in handles) or "none"]
