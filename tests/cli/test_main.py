"""The command as a whole: exit codes, errors, help, and what it costs to start."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.commands.list_ import STATUSES
from cli.failures import MEANINGS
from cli.http_client import ENDED
from cli.main import SECTIONS, Commands, main, refluxo
from cli.run_view import STATUS_STYLES
from engine import Status
from tests.cli.conftest import Cli
from tests.cli.service import Service

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = click.Context(refluxo, info_name="refluxo")
COMMANDS = refluxo.list_commands(CONTEXT)


def command_named(name: str) -> click.Command:
    """A command of ours."""
    command = refluxo.get_command(CONTEXT, name)
    assert command is not None
    return command


def examples_of(name: str) -> Iterator[list[str]]:
    """The examples in a command's help, as a shell would split them."""
    for line in (command_named(name).epilog or "").splitlines():
        text = line.strip()
        if "refluxo " in text and text != "Examples:":
            inner = text.partition("$(")[2].partition(")")[0] or text.partition(" > ")[0]
            yield shlex.split(inner, comments=True)


def test_there_is_a_file_for_each_command() -> None:
    """And no command besides them."""
    assert set(COMMANDS) >= {
        *("demo", "local", "start", "show", "list", "history", "signal", "resume", "cancel", "pause", "retry", "fork"),
        *("validate", "graph", "delete", "workflows", "put", "node-types", "health", "completion"),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_examples_that_can_be_typed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Click reads each of them without a complaint."""
    monkeypatch.chdir(tmp_path)
    for file in ("order.json", "answer.json"):
        (tmp_path / file).write_text("{}")
    found = list(examples_of(name))
    assert found
    for program, called, *arguments in found:
        assert (program, called) == ("refluxo", name)
        command_named(name).make_context(name, arguments, parent=CONTEXT).close()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_told_in_a_line_and_has_json(name: str) -> None:
    """What help shows of it fits."""
    command = command_named(name)
    assert len(command.get_short_help_str(90)) <= 65
    assert not command.get_short_help_str(90).endswith("...")
    assert "--json" in {option for each in command.params for option in each.opts}


def test_help_lists_all_commands_by_section_and_the_exit_codes() -> None:
    """So that a script's author need not look elsewhere."""
    told = CliRunner().invoke(refluxo, ["--help"]).stdout
    assert [line[:-1] for line in told.splitlines() if line[:-1] in SECTIONS] == list(SECTIONS)
    assert all(f"\n  {name} " in told for name in COMMANDS)
    assert all(str(code) in told for code in MEANINGS)


def test_the_version_is_told() -> None:
    """The distribution's."""
    assert CliRunner().invoke(refluxo, ["--version"]).stdout.startswith("refluxo ")


def test_help_waits_for_no_models_and_no_cloud() -> None:
    """In a fresh interpreter: neither the AWS client, nor the emulator, nor pydantic, nor rich is loaded."""
    script = (
        "import sys\nfrom cli.main import main\nassert main(['--help']) == 0\n"
        "heavy = {'boto3', 'botocore', 'moto', 'flask', 'pydantic', 'rich', 'engine', 'dispatcher', 'local'}\n"
        "sys.stderr.write(' '.join(sorted(heavy & set(sys.modules))))\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    assert run.stderr == ""


def test_the_command_is_installed(cli: Cli, service: Service) -> None:
    """As a program: the same as in here, to a pipe."""
    cli("start", "quick", "--id", "q1")
    command = [sys.executable, "-m", "cli.main", "show", "q1", "--json", "--url", service.url]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)  # noqa: S603
    assert json.loads(run.stdout)["workflowId"] == "q1"


def test_the_statuses_are_those_of_the_engine() -> None:
    """Written down once more, so that help need not load it."""
    assert tuple(STATUSES) == tuple(status.value for status in Status)
    assert {status.value for status in Status if status.terminal} == ENDED
    assert set(STATUS_STYLES) == set(STATUSES)


# --- how it ends -------------------------------------------------------------------------------


def test_a_service_that_is_not_there_is_told_with_the_remedy(cli: Cli) -> None:
    """Exit code 5. Port 9 is nobody's."""
    result = cli("list", "--url", "http://127.0.0.1:9")
    assert result.exit_code == 5
    assert "next: is the local stack running (refluxo local)?" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("status", "exit_code", "advice"),
    [
        (400, 4, None),
        (401, 4, "REFLUXO_TOKEN"),
        (403, 4, "--sign"),
        (404, 3, "refluxo list"),
        (409, 4, "refluxo show o1"),
        (410, 4, None),
        (422, 4, None),
        (500, 5, "refluxo health"),
        (503, 5, "refluxo health"),
        (302, 4, "redirects"),
    ],
)
def test_an_answer_decides_the_exit_code_and_what_to_do_next(
    status: int, exit_code: int, advice: str | None, cli: Cli, service: Service
) -> None:
    """As documented."""
    body = json.dumps({"detail": "no\x1b[2J", "errors": [{"path": "$.input.id", "message": "is missing"}]})
    service.before = lambda _: {"statusCode": status, "headers": {"location": "/elsewhere"}, "body": body}
    result = cli("show", "o1")
    assert result.exit_code == exit_code
    assert f": {status}: no [2J" in result.stderr
    assert "  $.input.id: is missing" in result.stderr
    assert (advice is None) == ("next:" not in result.stderr)
    assert advice is None or advice in result.stderr


def test_an_error_as_json_is_the_services_problem_document(cli: Cli) -> None:
    """On standard error, with our advice in it; standard output stays empty."""
    result = cli("show", "nope", "--json")
    assert (result.exit_code, result.stdout) == (3, "")
    problem = json.loads(result.stderr)
    assert (problem["status"], problem["title"]) == (404, "Not found")
    assert "refluxo list" in problem["advice"]


def test_a_usage_error_as_json_is_a_problem_document_too(cli: Cli) -> None:
    """Whatever reads our errors reads them all alike."""
    result = cli("list", "--json", "--status", "odd")
    assert result.exit_code == 2
    assert "'odd' is not one of" in json.loads(result.stderr)["detail"]


@pytest.mark.parametrize("body", ["<html>", "[1]", '"x"'])
def test_an_answer_that_is_no_json_object_is_no_refluxo(body: str, cli: Cli, service: Service) -> None:
    """A wrong address often answers something."""
    service.before = lambda _: {"statusCode": 200, "body": body}
    assert cli("list").exit_code == 5


def test_somebody_elses_404_is_no_run_that_is_missing(cli: Cli, service: Service) -> None:
    """What is no JSON object is none of ours: exit code 5, and not the advice to look for runs."""
    service.before = lambda _: {"statusCode": 404, "body": "<html>NOT FOUND</html>"}
    result = cli("show", "o1")
    assert result.exit_code == 5
    assert "is no Refluxo: GET /runs/o1: 404" in result.stderr
    assert "--url" in result.stderr
    assert "refluxo list" not in result.stderr


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.6\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_a_port_that_speaks_no_http_is_no_refluxo(said: bytes, cli: Cli) -> None:
    """Or whose answer breaks off: exit code 5, and no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(said)

        thread = threading.Thread(target=speak)
        thread.start()
        result = cli("list", "--url", f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert result.exit_code == 5
    assert "did not answer" in result.stderr


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:port", "http://127.0.0.1:99999", "http://a b", "http://[::1", "http://h:0"]
)
def test_an_address_that_no_one_can_have_is_told(url: str, cli: Cli) -> None:
    """Without a traceback."""
    assert cli("list", "--url", url).exit_code in {2, 5}


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "http://"])
def test_an_address_that_is_none_is_told(url: str, cli: Cli) -> None:
    """Exit code 2: it cannot be tried."""
    result = cli("list", "--url", url)
    assert result.exit_code == 2
    assert "--url" in result.stderr


def test_without_a_command_the_help_is_told() -> None:
    """On standard error, exit code 2: nothing was done."""
    result = CliRunner().invoke(refluxo, [], prog_name="refluxo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: refluxo")


def test_a_command_that_is_none_is_told(cli: Cli) -> None:
    """With where to look."""
    result = cli("strat")
    assert result.exit_code == 2
    assert "refluxo --help" in result.stderr


@pytest.mark.parametrize("port", ["-1", "70000", "http"])
@pytest.mark.parametrize("command", ["demo", "local"])
def test_a_port_that_is_none_is_told(command: str, port: str, cli: Cli) -> None:
    """Before anything is started."""
    assert cli(command, f"--port={port}").exit_code == 2


class OneCommand(Commands):
    """A group of one command, which ends as ours do."""

    def __init__(self, command: click.Command) -> None:
        super().__init__("refluxo")
        self.only = command

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:  # noqa: ARG002
        """See click."""
        return self.only


def test_interrupted_is_130() -> None:
    """As shells have it."""

    @click.command("interrupted")
    def command() -> None:
        raise KeyboardInterrupt

    assert CliRunner().invoke(OneCommand(command), ["interrupted"]).exit_code == 130


def test_a_missing_extra_is_told_with_how_to_install_it() -> None:
    """Not with a traceback: it is no fault of the user's code."""

    @click.command("lacking")
    def command() -> None:
        raise ModuleNotFoundError("No module named 'moto'", name="moto.server")

    result = CliRunner().invoke(OneCommand(command), ["lacking"])
    assert result.exit_code == 2
    assert "refluxo-dispatcher[local]" in result.stderr


def test_a_reader_that_has_seen_enough_ends_us_quietly(cli: Cli, service: Service) -> None:
    """``refluxo list | head -1`` is no failure."""
    for number in range(3):
        cli("start", "quick", "--id", f"q{number}")
    command = [sys.executable, "-m", "cli.main", "list", "--json", "--url", service.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:  # noqa: S603
        assert process.stdout is not None
        process.stdout.close()
        errors = process.stderr.read() if process.stderr is not None else b""
    assert (process.returncode, errors) == (0, b"")


def test_the_console_script_calls_main() -> None:
    """It returns the exit code."""
    assert main(["--version"]) == 0
    assert main(["no-such-command"]) == 2
