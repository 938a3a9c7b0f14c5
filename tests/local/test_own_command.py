"""The command in a hint can be typed as it stands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from local.own_command import own_command


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command of an environment that is not activated, whose Python runs."""
    command = tmp_path / "shop" / ".venv" / "bin" / "refluxo"
    command.parent.mkdir(parents=True)
    command.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(command.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    return command


def test_it_is_a_path_where_the_shell_does_not_find_it(command: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the current folder on where it is below it, else whole."""
    monkeypatch.chdir(command.parents[2])
    assert own_command() == ".venv/bin/refluxo"
    elsewhere = command.parents[3] / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert own_command() == str(command)


def test_it_is_a_name_where_the_shell_finds_it(command: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or where there is no such file: whoever runs it otherwise knows how."""
    monkeypatch.setenv("PATH", str(command.parent))
    assert own_command() == "refluxo"
    monkeypatch.setenv("PATH", "")
    command.unlink()
    assert own_command() == "refluxo"
