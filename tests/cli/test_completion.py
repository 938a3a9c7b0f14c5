"""Shell completion: scripts that shells can read, names and ids that the service has."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from cli.main import refluxo
from tests.cli.conftest import Cli
from tests.cli.service import Service


def completed(*words: str, url: str | None = None) -> list[str]:
    """What is offered for the last word."""
    environment = {
        "_REFLUXO_COMPLETE": "zsh_complete",
        "COMP_WORDS": " ".join(["refluxo", *words]),
        "COMP_CWORD": str(len(words)),
    }
    if url is not None:
        environment["REFLUXO_URL"] = url
    result = CliRunner().invoke(refluxo, [], env=environment, prog_name="refluxo")
    # Kind, value and help, a line each.
    return result.stdout.splitlines()[1::3]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_reads(shell: str, cli: Cli) -> None:
    """Where that shell is here, it says so itself."""
    script = cli("completion", shell).stdout
    assert f"_REFLUXO_COMPLETE={shell}_complete" in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=script, text=True, check=True)  # noqa: S603
    assert json.loads(cli("completion", shell, "--json").stdout)["shell"] == shell


def test_the_shell_is_the_callers_own_unless_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without completion is told."""
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert "fish_complete" in cli("completion").stdout
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert cli("completion").exit_code == 2


def test_commands_and_options_are_offered() -> None:
    """By their beginnings."""
    assert completed("st") == ["start"]
    assert completed("list", "--sta") == ["--status"]
    assert "cancelled" in completed("list", "--status", "c")


def test_workflows_of_the_api_are_offered(service: Service) -> None:
    """Also the one that --url names."""
    assert completed("start", "", url=service.url) == ["loop", "order", "quick"]
    assert completed("start", "--url", service.url, "q") == ["quick"]


def test_workflows_of_the_registry_are_offered_where_no_api_answers() -> None:
    """A graph needs none."""
    assert "content-approval" in completed("graph", "c", url="http://127.0.0.1:9")


def test_runs_are_offered(cli: Cli, service: Service) -> None:
    """The newest."""
    for run_id in ("q1", "q2", "other"):
        cli("start", "quick", "--id", run_id)
    assert completed("show", "q", url=service.url) == ["q2", "q1"]


@pytest.mark.parametrize("body", ["", "[]", '{"runs": 3}', '{"runs": [1, {}]}', "<html>"])
def test_a_service_that_is_not_well_offers_nothing(body: str, service: Service) -> None:
    """And says nothing: it would stand in the middle of a command line."""
    service.before = lambda _: {"statusCode": 200, "body": body}
    assert completed("show", "q", url=service.url) == []
    assert completed("show", "q", url="http://127.0.0.1:9") == []
    assert completed("show", "q", url="nonsense") == []
