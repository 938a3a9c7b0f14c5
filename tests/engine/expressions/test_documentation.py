"""docs/expressions.md says what is so: every line of its tables is run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ExpressionError
from engine.expressions import JexlTransformEngine
from engine.expressions.built_in import BUILT_IN

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


def test_the_page_lists_every_difference() -> None:
    """The list of differences is the one the recording is tested with, word for word."""
    entries = json.loads((Path(__file__).parent / "differences.json").read_text("utf-8"))
    rows = [f"| {entry['difference']} | {entry['reason']} |" for entry in entries]
    table = PAGE.split("| Difference | Reason |\n|---|---|\n")[1].split("\n\n")[0]
    assert table.splitlines() == rows
