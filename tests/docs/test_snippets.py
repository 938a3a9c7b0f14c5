"""Every Python block of the documentation runs, and prints what the page says it prints.

The blocks of one page run in order and share their names. Where a block prints, the next fenced block of the page,
whatever its language (``text``, ``json``, ``mermaid``), is its output, word for word. A block that is not meant to run
is fenced as something else than ``python``.
"""

from __future__ import annotations

import contextlib
import io
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(?P<language>[^\n`]*)\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and the line its text begins at."""

    language: str
    text: str
    line: int


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(match["language"].strip(), match["text"], page.count("\n", 0, match.start("text")))
        for match in _FENCE.finditer(page)
    ]


def run(page: str, filename: str) -> Iterator[tuple[Block, str, str | None]]:
    """Runs the Python blocks of a page; gives each with what it printed and what the page says it prints."""
    blocks = blocks_of(page)
    module = types.ModuleType("page")
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block.language != "python":
            continue
        # The empty lines before it make a traceback name the line of the page.
        code = compile("\n" * block.line + block.text, filename, "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, module.__dict__)  # noqa: S102  (our own pages)
            # What a page shows as a test is one.
            for name in re.findall(r"^def (test_\w+)\(\)", block.text, re.MULTILINE):
                module.__dict__[name]()
        yield block, printed.getvalue(), None if following is None else following.text


def pages() -> list[Path]:
    """The pages that hold Python."""
    found = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    return sorted(
        page for page in found if any(block.language == "python" for block in blocks_of(page.read_text("utf-8")))
    )


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_snippets_of_a_page_run(page: Path) -> None:
    """In order, in one namespace; what they print stands on the page."""
    for block, printed, expected in run(page.read_text("utf-8"), str(page)):
        if printed:
            assert printed == expected, f"{page.name}:{block.line}"


def test_the_builder_page_is_among_them() -> None:
    """The search for pages finds pages."""
    assert ROOT / "docs" / "builder.md" in pages()


def test_blocks_share_names_and_outputs_are_found() -> None:
    """A page in small."""
    page = "# x\n```python\nx = 1\n```\n```python\nprint(x + 1)\n```\nprints\n```text\n2\n```\n"
    results = [(block.line, printed, expected) for block, printed, expected in run(page, "page.md")]
    assert results == [(2, "", "print(x + 1)\n"), (5, "2\n", "2\n")]


def test_a_fault_names_the_line_of_the_page() -> None:
    """So a broken page is mended quickly."""
    with pytest.raises(ZeroDivisionError) as caught:
        list(run("text\n\n```python\nx = 1\n\nx / 0\n```\n", "page.md"))
    assert (str(caught.traceback[-1].path).rsplit("/", 1)[-1], caught.traceback[-1].lineno) == ("page.md", 5)
