"""The command as somebody at a terminal meets it: what it prints, and its exit codes."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from cli.main import StepLines, _curl, main

DEFINITIONS = Path(__file__).resolve().parents[2] / "workflows" / "definitions"


def test_a_valid_definition_is_told_with_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """The shipped example is valid."""
    assert main(["validate", str(DEFINITIONS / "content_approval.json")]) == 0
    assert "content-approval, version" in capsys.readouterr().out


def test_every_fault_of_every_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A faulty file does not keep the next from being looked at; faults carry their paths."""
    faulty, broken = tmp_path / "faulty.json", tmp_path / "broken.json"
    faulty.write_text(json.dumps({"nodes": [{"id": "a", "type": "no:such"}, {"id": "b", "type": "core:if"}]}))
    broken.write_text("{")
    assert main(["validate", str(faulty), str(broken), str(tmp_path / "missing.json")]) == 1
    told = capsys.readouterr().out
    assert "$.nodes[0].type" in told
    assert "$.nodes[1].data.when" in told
    assert told.count("✗") == 3


def test_an_unreachable_node_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It runs, so it is valid; it is odd, so it is told."""
    file = tmp_path / "odd.json"
    file.write_text(json.dumps({"nodes": [{"id": "a", "type": "core:set"}, {"id": "b", "type": "core:set"}]}))
    assert main(["validate", str(file)]) == 0
    assert "! $.nodes[1]: 'b' is never reached" in capsys.readouterr().out


def test_a_workflow_is_drawn_by_name_or_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Both ways give the same drawing."""
    assert main(["graph", "content-approval"]) == 0
    by_name = capsys.readouterr().out
    assert main(["graph", str(DEFINITIONS / "content_approval.json")]) == 0
    assert capsys.readouterr().out == by_name
    assert by_name.startswith("flowchart")


def test_an_unknown_workflow_is_told_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """And the exit code says that it failed."""
    assert main(["graph", "nope"]) == 1
    assert "registered: content-approval" in capsys.readouterr().err


def test_a_stack_that_does_not_answer_is_told_with_the_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    """Port 9 is nobody's."""
    assert main(["graph", "content-approval", "--run", "r1", "--url", "http://127.0.0.1:9"]) == 1
    assert "refluxo local" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["nowhere:registry", "workflows:nothing", "workflows", "cli.main:main"])
def test_a_wrong_registry_is_told_at_once(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2: the command could not be tried."""
    with pytest.raises(SystemExit) as stopped:
        main(["validate", "--registry", path, "any.json"])
    assert stopped.value.code == 2
    assert path in capsys.readouterr().err


def test_without_a_command_the_usage_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, as everywhere."""
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2
    assert "usage: refluxo" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["-1", "70000", "http"])
def test_a_port_that_is_none_is_told(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is started."""
    with pytest.raises(SystemExit) as stopped:
        main(["demo", f"--port={port}"])
    assert stopped.value.code == 2
    assert "is no port" in capsys.readouterr().err


def test_a_module_the_users_code_lacks_is_told_by_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The advice to install an extra is for what the extra holds."""
    (tmp_path / "lacking.py").write_text("import no_such_package_anywhere\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_package_anywhere"):
        main(["validate", "--registry", "lacking:registry", "any.json"])


def test_a_step_is_told_in_one_line() -> None:
    """What happened, then its facts; a traceback follows where there is one."""
    record = logging.LogRecord("refluxo.dispatch", logging.INFO, "", 0, "committed", (), None)
    record.__dict__.update(workflow_id="r1", version=3, status="paused", node_id="review", secret="canary")
    line = StepLines().format(record)
    assert line.endswith("committed  workflow_id=r1  version=3  status=paused  node_id=review")


@pytest.mark.parametrize(
    ("workflows", "called"),
    [(["a", "content-approval"], "content-approval"), (["a", "b"], "a"), ([], "NAME")],
)
def test_the_line_to_begin_with_names_a_workflow_there_is(workflows: list[str], called: str) -> None:
    """The example where it is registered, else the first."""
    assert f"/workflows/{called}/runs" in _curl("http://127.0.0.1:1", workflows)
