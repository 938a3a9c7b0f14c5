"""``refluxo local`` as a process: it starts, says where it is, and stops when it is told to."""

from __future__ import annotations

import gzip
import itertools
import json
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
from tests.local.waiting import until, until_status

ROOT = Path(__file__).resolve().parents[2]

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
def _served(folder: Path, *options: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The command, as it is typed in that folder, with these variables."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MY_"))}
    command = [sys.executable, "-m", "cli.main", "local", "--registry", "mine_served:registry", "--data", "kept"]
    process = subprocess.Popen(  # noqa: S603  (our own program)
        [*command, *options],
        cwd=folder,
        env={**environ, **variables, "PYTHONPATH": str(ROOT)},
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
    with _served(folder, "--port", "0", "--no-reload") as process:
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


def test_own_code_that_cannot_be_loaded_is_told(folder: Path) -> None:
    """By its line, without ours: exit code 2."""
    (folder / "broken.py").write_text("from engine import Registry\nregistry = Registry(1, 2)\n")
    with _served(folder, "--registry", "broken:registry") as process:
        output, errors = process.communicate(timeout=SECONDS_MAX)
    assert (process.returncode, output) == (2, "")
    assert 'broken.py", line 2' in errors
    assert "TypeError" in errors
    assert errors.count("line ") == 1


def test_a_taken_port_is_told(folder: Path) -> None:
    """In one line, with the port and what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with _served(folder, "--port", str(port)) as process:
            output, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 2
    remedy = "choose another by --port, or 0 for a free one"
    assert errors.splitlines() == [f"refluxo: port {port} is in use (Address already in use); {remedy}"]
    assert output == ""


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_service_that_is_not_there_is_told(folder: Path, *, by_variable: bool) -> None:
    """By its address, whether an option or a variable has named it, with what to look at."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        options = () if by_variable else ("--dynamodb-endpoint", url)
        variables = {"AWS_ENDPOINT_URL_DYNAMODB": url} if by_variable else {}
        with _served(folder, "--port", "0", *options, **variables) as process:
            _, errors = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 2
    assert url in errors
    assert "is what they name up?" in errors
    assert "Traceback" not in errors


def test_a_program_is_told_as_json(folder: Path) -> None:
    """Where it serves, in one line, and nothing else; why it does not, as a problem document."""
    with _served(folder, "--port", "0", "--json") as process:
        told = json.loads(_first_line(process))
        assert call(f"{told['url']}/health")[0] == 200
        assert (told["data"], told["workflows"]) == ("kept", ["say"])
        with _served(folder, "--port", "0", "--json") as second:
            output, errors = second.communicate(timeout=SECONDS_MAX)
        assert (second.returncode, output) == (2, "")
        assert "another local stack uses kept" in json.loads(errors)["detail"]
        process.terminate()
        assert process.communicate(timeout=SECONDS_MAX)[0] == ""


def test_what_is_saved_is_loaded_and_what_is_killed_comes_back(folder: Path) -> None:
    """Code that is saved is used by the next run; after ``kill -9`` the runs that were kept are there."""
    code = folder / "mine_served.py"
    with _served(folder, "--port", "0", "--json") as process:
        url = json.loads(_first_line(process))["url"]
        ids = itertools.count()

        def shouts() -> bool:
            # It takes a moment to begin watching, so the file is saved until that is noticed.
            code.write_text(REGISTRY.replace("globals.word", "globals.word|upper"))
            document = {"workflowId": f"run-{next(ids)}"}
            return bool(call(f"{url}/workflows/say/runs?wait=5", document)[1].get("output") == "HUSH-FROM-FILE")

        until(shouts)
        last = f"run-{next(ids) - 1}"
        state = folder / "kept" / STATE_NAME
        until(lambda: state.exists() and last.encode() in gzip.decompress(state.read_bytes()))
        process.kill()
        process.wait(SECONDS_MAX)
    with _served(folder, "--port", "0", "--json") as process:
        url = json.loads(_first_line(process))["url"]
        assert call(f"{url}/runs/{last}")[1]["output"] == "HUSH-FROM-FILE"
