"""``refluxo local`` as a process: it starts, says where it is, and stops when it is told to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.state_folder import STATE_NAME
from tests.local.http import SECONDS_MAX, call
from tests.local.waiting import until_status

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
from pathlib import Path
from local.serve import ServeOptions, serve
options = ServeOptions(
    registry="mine_served:registry",
    port=int(sys.argv[1]),
    data=Path("kept"),
    dynamodb_endpoint=sys.argv[2] or None,
    reload=False,
)
sys.exit(serve(options))
"""

REGISTRY = """
import os
from engine import Registry

registry = Registry(globals_provider=lambda: {"word": os.environ["MY_WORD"]})
registry.add({"name": "say", "nodes": [{"id": "n", "type": "core:set", "data": "{{ globals.word }}"}], "edges": []})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a registry and a ``.env`` file."""
    (tmp_path / "mine_served.py").write_text(REGISTRY)
    (tmp_path / ".env").write_text("MY_WORD=hush-from-file\n")
    return tmp_path


@contextmanager
def _served(folder: Path, port: int = 0, dynamodb_endpoint: str = "") -> Iterator[subprocess.Popen[str]]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MY_"))}
    process = subprocess.Popen(  # noqa: S603  (our own program)
        [sys.executable, "-c", PROGRAM, str(port), dynamodb_endpoint],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(SECONDS_MAX)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(folder: Path, number: signal.Signals) -> None:
    """By Ctrl-C or as a service is stopped; a run reads what ``.env`` says, and no output does. The state is kept."""
    with _served(folder) as process:
        found = re.fullmatch(r"Refluxo serves (\S+) over an emulated AWS at \S+\n", _first_line(process))
        assert found is not None
        assert call(f"{found[1]}/workflows/say/runs", {"workflowId": "said"})[0] == 202
        assert until_status(found[1], "said", "completed")["output"] == "hush-from-file"
        process.send_signal(number)
        output, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0
    assert output.endswith("stopping\n")
    assert "committed  workflow_id=said  version=1  status=completed" in errors
    assert "Traceback" not in errors
    assert "hush" not in output + errors
    assert (folder / "kept" / STATE_NAME).exists()


def test_a_taken_port_is_told(folder: Path) -> None:
    """In one line, with the port and what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with _served(folder, port) as process:
            output, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 2
    assert errors.splitlines() == [f"refluxo: port {port} is in use (Address already in use); choose another, or 0"]
    assert output == ""


def test_a_service_that_is_not_there_is_told(folder: Path) -> None:
    """By its address, with what to look at."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        with _served(folder, dynamodb_endpoint=url) as process:
            _, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 2
    assert url in errors
    assert "is what they name up?" in errors
    assert "Traceback" not in errors
