"""Writes the parts of the documentation that follow from the code: ``python docs/generate.py``.

With ``--check`` it changes nothing and exits 1 when a file is not what the code says; the tests call it so.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from engine import Registry, mermaid, mermaid_states  # noqa: E402  (the root is put on the path above)
from workflows import registry  # noqa: E402

_CODE = re.compile(r"^```\w.*?^```$", re.MULTILINE | re.DOTALL)
"""Fenced blocks that name a language; those that do not are commands with remarks, which a translation says itself."""


def readme(text: str) -> str:
    """The README with its drawings as the code has them."""
    example = mermaid(registry.workflow("content-approval"))
    return drawn(drawn(text, "states", mermaid_states()), "content-approval", example)


def translated(text: str, original: str) -> str:
    """The README in another language: its code and drawings, in order, are those of the original."""
    blocks = iter(_CODE.findall(original))
    return _CODE.sub(lambda _: next(blocks, ""), text)


def examples(text: str) -> str:
    """The page of examples with each workflow drawn as the code has it."""
    for name, definition in registry.workflows.items():
        text = drawn(text, name, mermaid(definition))
    return text


def drawn(text: str, name: str, drawing: str) -> str:
    """A page with one drawing between its markers."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n```mermaid\n{drawing.rstrip()}\n```\n{end}{after}"


def nodes() -> str:
    """The page of core node types."""
    lines = [
        "# Core node types",
        "",
        "Every registry has these. This page is written by `docs/generate.py` from what",
        "`registry.describe_node_types()` gives to editors. Fields marked with a star must be there; any field takes",
        "an expression. `core:http` has [a page of its own](calling-http.md). The types marked *described only* make",
        "other runs: definitions are checked against them, and a step of theirs fails with `NeedsHost`, for they have",
        "no executor yet. `workflow` and `branches` are taken as written: the expressions of a definition in there are",
        "the child's own.",
    ]
    for description in Registry().describe_node_types(_EXECUTED_BY_THE_SHELL):
        if isinstance(description, dict):
            lines += ["", *_node(description)]
    return "\n".join(lines) + "\n"


_EXECUTED_BY_THE_SHELL = ("core:http",)


def _node(description: Mapping[str, object]) -> list[str]:
    node_type = str(description["type"])
    lines = [f"## `{node_type}`" + ("" if description["executed"] else ", described only"), ""]
    lines.append(str(description["description"]).replace("``", "`"))
    handles = description["handles"]
    named = "follow from its data" if handles is None else ", ".join(f"`{h}`" for h in _list(handles)) or "none"
    lines += ["", f"Named handles: {named}."]
    schema = description["input"]
    if isinstance(schema, dict):
        lines += ["", "| field | type | |", "|---|---|---|"]
        required = _list(schema.get("required", []))
        for name, field in schema["properties"].items():
            star = "*" if name in required else ""
            lines.append(f"| `{name}`{star} | {_kind(field)} | {field.get('description', '')} |")
    return lines


def _kind(field: Mapping[str, object]) -> str:
    options = field.get("anyOf")
    if isinstance(options, list):
        return " or ".join(_kind(option) for option in options if option.get("type") != "null")
    if "enum" in field:
        return ", ".join(f"`{item}`" for item in _list(field["enum"]))
    if "$ref" in field:
        return "object"
    return str(field.get("type", "any"))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def main(arguments: list[str]) -> int:
    """Writes the files, or with ``--check`` compares them."""
    english = readme((ROOT / "README.md").read_text("utf-8"))
    portuguese = ROOT / "README.pt-BR.md"
    pages = {
        ROOT / "README.md": english,
        portuguese: translated(portuguese.read_text("utf-8"), english),
        ROOT / "docs" / "examples.md": examples((ROOT / "docs" / "examples.md").read_text("utf-8")),
        ROOT / "docs" / "nodes.md": nodes(),
    }
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not what the code says; run python docs/generate.py\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
