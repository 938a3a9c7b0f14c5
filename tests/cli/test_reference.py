"""docs/cli.md says what the commands say, and its examples are commands."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.main import refluxo

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text("utf-8")


def test_the_page_is_up_to_date() -> None:
    """Its sections of commands and of exit codes are those that would be written now."""
    command = [sys.executable, str(ROOT / "docs" / "generate_cli.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own script)
    assert result.returncode == 0, result.stderr


def lines() -> list[str]:
    """The command lines of the page, those of the generated part aside: they are tested where they are written."""
    prose = PAGE.partition("<!-- commands -->")[0]
    return [
        line.partition("$(")[2].partition(")")[0] or line.removesuffix(" &")
        for block in re.findall(r"```sh\n(.*?)```", prose, re.DOTALL)
        for line in (each.partition("  #")[0].partition(" > ")[0].rstrip() for each in block.splitlines())
    ]


@pytest.mark.parametrize("line", lines())
def test_what_the_page_shows_can_be_typed(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Click reads it without a complaint."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.json").write_text("{}")
    program, name, *arguments = shlex.split(line)
    assert program == "refluxo"
    context = click.Context(refluxo, info_name="refluxo")
    command = refluxo.get_command(context, name)
    assert command is not None
    command.make_context(name, arguments, parent=context).close()
