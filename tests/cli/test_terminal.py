"""The command on a terminal: a real one where it is asked something, else a console that is told to be one."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.text import Text

from tests.cli.conftest import Cli
from tests.cli.service import Service, when_looked_at

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output goes to a terminal of 80 columns with colours."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


def typed(service: Service, *arguments: str, answer: str) -> tuple[int, str]:
    """Calls the command on a terminal of its own and types an answer: exit code and what was on the screen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli.main", *arguments, "--url", service.url]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT) as process:  # noqa: S603
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        screen = b""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and select.select([ours], [], [], 30)[0]:
            try:
                screen += os.read(ours, 4096)
            except OSError:  # what Linux says when the other side is closed
                break
    os.close(ours)
    return process.returncode, screen.decode()


def test_a_removal_is_asked_about(cli: Cli, service: Service) -> None:
    """Whoever says no keeps the run; whoever says yes, by word or option, does not."""
    cli("start", "quick", "--id", "q1", "--wait", "5", "--interval", "0")
    code, screen = typed(service, "delete", "q1", answer="n")
    assert (code, "Remove run q1 with all its history?" in screen) == (1, True)
    assert cli("show", "q1").exit_code == 0
    assert typed(service, "delete", "q1", answer="y")[0] == 0
    assert cli("show", "q1").exit_code == 3
    cli("start", "quick", "--id", "q2", "--wait", "5", "--interval", "0")
    code, screen = typed(service, "delete", "q2", "--yes", answer="")
    assert (code, "Remove run" in screen) == (0, False)


@pytest.mark.usefixtures("terminal")
def test_a_watched_run_is_drawn_anew_in_its_place(cli: Cli, service: Service) -> None:
    """With its end left standing."""
    service.before = when_looked_at(
        8, lambda: service.runner.app.front_door.signal("o1", "decision", {"ok": True}, idempotency_key=None)
    )
    result = cli("start", "order", "--id", "o1", "--watch", "--interval", "0")
    assert result.exit_code == 0
    assert "\x1b[1A" in result.stdout  # one line up, again and again
    assert "waits for 'decision'" in result.stdout
    assert result.stdout.partition("completed")[2].count("✓") >= 4


@pytest.mark.usefixtures("terminal")
def test_colours_can_be_switched_off(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """By NO_COLOR, as everywhere."""
    cli("start", "quick", "--id", "q1")
    assert "\x1b[32m" in cli("show", "q1").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in cli("show", "q1").stdout


@pytest.mark.usefixtures("terminal")
def test_a_terminal_is_never_wider_than_it_is(cli: Cli) -> None:
    """Long values are cut there, and only there."""
    cli("start", "quick", "--id", "q1", "--input", '"' + "x" * 300 + '"', "--wait", "5", "--interval", "0", "--json")
    lines = [Text.from_ansi(line).plain for line in cli("history", "q1").stdout.splitlines()]
    assert max(map(len, lines)) == 80


@pytest.mark.usefixtures("terminal")
def test_a_workflow_is_drawn_as_text_on_a_terminal(cli: Cli) -> None:
    """And as Mermaid when asked for."""
    assert "─timeout─" not in cli("graph", "content-approval", "--mermaid").stdout
    assert "flowchart" not in cli("graph", "content-approval").stdout


@pytest.mark.usefixtures("terminal")
def test_json_is_never_coloured(cli: Cli) -> None:
    """A terminal makes no difference to programs."""
    assert "\x1b" not in cli("list", "--json").stdout


def test_a_pipe_gets_whole_lines_without_colours(cli: Cli) -> None:
    """Nothing is cut at 80 columns, nothing padded."""
    cli("start", "quick", "--id", "q" * 100)
    lines = cli("list").stdout.splitlines()
    assert "q" * 100 in lines[1]
    assert [line for line in lines if line != line.rstrip() or "\x1b" in line] == []
