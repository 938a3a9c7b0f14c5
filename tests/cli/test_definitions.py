"""validate and graph: definitions checked and drawn on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.definition_source import of_run, registry_at
from cli.http_client import Api
from tests.cli.conftest import Cli
from tests.cli.service import Service

DEFINITIONS = Path(__file__).resolve().parents[2] / "workflows" / "definitions"
APPROVAL = str(DEFINITIONS / "content_approval.json")


def test_a_valid_definition_is_told_with_its_version(cli: Cli) -> None:
    """The shipped example is valid."""
    result = cli("validate", APPROVAL)
    assert result.exit_code == 0
    assert "content-approval, version" in result.stdout


def faulty_files(folder: Path) -> list[str]:
    """One of each fault: of content, of form, and missing."""
    faulty, broken = folder / "faulty.json", folder / "broken.json"
    faulty.write_text(json.dumps({"nodes": [{"id": "a", "type": "no:such"}, {"id": "b", "type": "core:if"}]}))
    broken.write_text("{")
    return [str(faulty), str(broken), str(folder / "missing.json")]


def test_every_fault_of_every_file_is_told(cli: Cli, tmp_path: Path) -> None:
    """A faulty file does not keep the next from being looked at; faults carry their paths."""
    result = cli("validate", *faulty_files(tmp_path), APPROVAL)
    assert result.exit_code == 1
    assert "$.nodes[0].type: " in result.stdout
    assert "$.nodes[1].data.when: " in result.stdout
    assert (result.stdout.count("✗"), result.stdout.count("✓")) == (3, 1)


def test_faulty_files_of_the_registrys_own_folder_are_told_as_any(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What loads them cannot be loaded with them, and is what they are held against."""
    (tmp_path / "own").mkdir()
    files = faulty_files(tmp_path / "own")
    (tmp_path / "mine.py").write_text(
        "from engine import Registry\n"
        "registry = Registry()\n"
        "registry.node('no:such')(lambda data: data)\n"
        f"registry.load_folder({str(tmp_path / 'own')!r})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "not valid" in cli("validate", "--registry", "mine:registry", APPROVAL).stderr
    result = cli("validate", "--registry", "mine:registry", *files)
    assert result.exit_code == 1
    assert "$.nodes[0].type" not in result.stdout
    assert "$.nodes[1].data.when: " in result.stdout
    assert result.stdout.count("✗") == 3


def test_faults_as_json_are_one_document(cli: Cli, tmp_path: Path) -> None:
    """Valid files among them, with their versions."""
    result = cli("validate", *faulty_files(tmp_path), APPROVAL, "--json")
    assert result.exit_code == 1
    files = json.loads(result.stdout)["files"]
    assert [file["valid"] for file in files] == [False, False, False, True]
    assert {error["path"] for error in files[0]["errors"]} >= {"$.nodes[0].type", "$.nodes[1].data.when"}
    assert (files[3]["name"], files[3]["errors"], files[3]["warnings"]) == ("content-approval", [], [])


def test_an_unreachable_node_is_a_warning(cli: Cli, tmp_path: Path) -> None:
    """It runs, so it is valid; it is odd, so it is told."""
    file = tmp_path / "odd.json"
    file.write_text(json.dumps({"nodes": [{"id": "a", "type": "core:set"}, {"id": "b", "type": "core:set"}]}))
    result = cli("validate", str(file))
    assert result.exit_code == 0
    assert "! $.nodes[1]: 'b' is never reached" in result.stdout


def test_a_node_that_nobody_executes_is_a_warning(cli: Cli, tmp_path: Path) -> None:
    """By the service as by this machine: they agree on what is executed."""
    file = tmp_path / "many.json"
    nodes = [
        {"id": "each", "type": "core:map", "data": {"items": [], "workflow": "order"}},
        {"id": "ask", "type": "core:http", "data": {"method": "GET", "url": "https://example.com"}},
    ]
    file.write_text(json.dumps({"name": "many", "nodes": nodes, "edges": [{"source": "each", "target": "ask"}]}))
    assert "! $.nodes[0].type: core:map has no executor yet" in cli("validate", str(file)).stdout
    warnings = json.loads(cli("validate", str(file), "--json").stdout)["files"][0]["warnings"]
    assert json.loads(cli("put", str(file), "--json").stdout)["warnings"] == warnings
    assert "core:map has no executor yet" in cli("put", str(file)).stderr
    assert len(warnings) == 1


@pytest.mark.parametrize("path", ["nowhere:registry", "workflows:nothing", "workflows", "cli.main:main"])
def test_a_wrong_registry_is_told_at_once(path: str, cli: Cli) -> None:
    """Exit code 2: the command could not be tried."""
    result = cli("validate", "--registry", path, "any.json")
    assert result.exit_code == 2
    assert path in result.stderr


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import no_such_package_anywhere", "ModuleNotFoundError: No module named 'no_such_package_anywhere'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("registry = = 1", "SyntaxError: invalid syntax"),
    ],
)
def test_an_error_in_the_users_code_is_told_with_its_line(
    code: str, error: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not by how we came there; the advice to install an extra is for what the extra holds."""
    module = f"faulty_{len(code)}"
    (tmp_path / f"{module}.py").write_text(f"{code}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    result = cli("validate", "--registry", f"{module}:registry", "any.json")
    assert result.exit_code == 2
    assert error in result.stderr
    assert f'{module}.py", line 1' in result.stderr
    assert "importlib" not in result.stderr


def test_a_workflow_is_drawn_by_name_or_file(cli: Cli) -> None:
    """In a pipe as Mermaid; both ways give the same drawing."""
    by_name = cli("graph", "content-approval").stdout
    assert cli("graph", APPROVAL).stdout == by_name
    assert by_name.startswith("flowchart")


def test_a_workflow_is_drawn_as_text(cli: Cli) -> None:
    """When asked for, as on a terminal."""
    assert "├─timeout─→ ○ expired" in cli("graph", "content-approval", "--text").stdout


def test_a_drawing_as_json_has_the_definition_too(cli: Cli) -> None:
    """With name and version."""
    document = json.loads(cli("graph", "content-approval", "--json").stdout)
    assert document["mermaid"].startswith("flowchart")
    assert (document["name"], document["definition"]["name"]) == ("content-approval", "content-approval")


def test_a_workflow_that_only_the_api_has_is_drawn(cli: Cli) -> None:
    """The registry here comes first."""
    assert "○ pay" in cli("graph", "order", "--text").stdout


def test_a_run_is_drawn_with_how_far_it_has_come(cli: Cli) -> None:
    """Of the version it is pinned to, also when the workflow has a newer one by now."""
    cli("put", '{"name": "hi", "nodes": [{"id": "old", "type": "core:wait"}]}')
    cli("start", "hi", "--id", "h1")
    cli("put", '{"name": "hi", "nodes": [{"id": "new", "type": "core:wait"}]}')
    assert "◐ old" in cli("graph", "hi", "--run", "h1", "--text").stdout
    assert "class n0 paused" in cli("graph", "hi", "--run", "h1", "--mermaid").stdout


def test_a_run_of_another_workflow_is_told(cli: Cli) -> None:
    """Instead of a drawing of nothing."""
    cli("start", "quick", "--id", "q1")
    result = cli("graph", "order", "--run", "q1")
    assert result.exit_code == 1
    assert "is of 'quick', not of 'order'" in result.stderr


def test_a_workflow_of_the_api_needs_no_registry_here(cli: Cli) -> None:
    """Whoever only operates a deployment has none; where nothing has it, what is wrong with the registry is told."""
    assert "○ pay" in cli("graph", "order", "--text", "--registry", "nowhere:registry").stdout
    result = cli("graph", "nope", "--registry", "nowhere:registry")
    assert result.exit_code == 3
    assert "nowhere:registry" in result.stderr


def test_an_unknown_workflow_is_told_with_those_there_are(cli: Cli) -> None:
    """Exit code 3."""
    result = cli("graph", "nope")
    assert result.exit_code == 3
    assert "content-approval" in result.stderr


def test_an_unknown_workflow_where_nothing_answers(cli: Cli) -> None:
    """Both places that were looked at are told."""
    result = cli("graph", "nope", "--url", "http://127.0.0.1:9")
    assert result.exit_code == 3
    assert "content-approval" in result.stderr
    assert "refluxo local" in result.stderr


def test_a_file_that_is_no_definition_is_told(cli: Cli, tmp_path: Path) -> None:
    """With its faults."""
    result = cli("graph", faulty_files(tmp_path)[1])
    assert result.exit_code == 1


def test_a_run_is_drawn_with_the_registry_here_when_the_api_lacks_the_definition(service: Service) -> None:
    """As long as it is the same version."""
    here = registry_at("workflows:registry").workflow("content-approval")
    api = Api(service.url)
    run = {"definition": {"name": here.name, "version": here.version}}
    assert of_run(api, run, "workflows:registry") == here
    assert of_run(api, {"definition": {"name": here.name, "version": "0" * 32}}, "workflows:registry") is None
    assert of_run(api, {}, "workflows:registry") is None
