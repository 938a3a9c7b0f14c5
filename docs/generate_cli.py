"""Writes the part of docs/cli.md that follows from the commands: ``python docs/generate_cli.py``.

With ``--check`` it changes nothing and exits 1 when the page is not what the commands say; a test calls it so.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cli.failures import MEANINGS  # noqa: E402  (the root is put on the path above)
from cli.main import refluxo  # noqa: E402

PAGE = ROOT / "docs" / "cli.md"
CONTEXT = click.Context(refluxo, info_name="refluxo")

EVERYWHERE = ("--url", "--sign", "--profile", "--region", "--json", "--help")
"""Options that the page tells of once, at its beginning."""


def exit_codes() -> str:
    """The table of exit codes."""
    rows = [f"| {code} | {meaning} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["| Code | Meaning |", "|---|---|", *rows])


def commands() -> str:
    """A section for each command."""
    return "\n\n".join("\n".join(_section(name)) for name in refluxo.list_commands(CONTEXT))


def _section(name: str) -> Iterator[str]:
    command = refluxo.get_command(CONTEXT, name)
    assert command is not None  # noqa: S101  (it was listed)
    usage = " ".join(command.collect_usage_pieces(click.Context(command, parent=CONTEXT, info_name=name)))
    yield f"### `refluxo {name} {usage.replace('[OPTIONS]', '').strip()}".rstrip() + "`"
    yield ""
    yield inspect.cleandoc(command.help or "")
    rows = [row for parameter in command.params if isinstance(parameter, click.Option) for row in _row(parameter)]
    if rows:
        yield from ("", "| Option | |", "|---|---|", *rows)
    lines = [line.strip() for line in (command.epilog or "").splitlines()]
    yield from ("", "```sh", *(line for line in lines if "refluxo" in line), "```")


def _row(option: click.Option) -> Iterator[str]:
    if option.opts[0] in EVERYWHERE:
        return
    names = ", ".join(f"`{each}`" for each in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag or option.count else f" `{option.make_metavar(CONTEXT)}`".replace("|", "\\|")
    default = f" Default: `{option.default}`." if option.show_default and not option.is_flag else ""
    yield f"| {names}{value} | {option.help}{default} |"


def page(text: str) -> str:
    """The page with its generated parts as the code has them."""
    for name, part in (("exit codes", exit_codes()), ("commands", commands())):
        before, _, rest = text.partition(f"<!-- {name} -->")
        _, _, after = rest.partition(f"<!-- /{name} -->")
        text = f"{before}<!-- {name} -->\n{part}\n<!-- /{name} -->{after}"
    return text


def main(arguments: list[str]) -> int:
    """Writes the page, or with ``--check`` compares it."""
    text = PAGE.read_text("utf-8")
    if page(text) == text:
        return 0
    if "--check" in arguments:
        sys.stderr.write("docs/cli.md is not what the commands say; run python docs/generate_cli.py\n")
        return 1
    PAGE.write_text(page(text), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
