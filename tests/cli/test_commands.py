"""The commands against the real HTTP API over memory: what they print, send and exit with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.service import Service, when_looked_at

UNWELL = {"statusCode": 503, "body": "{}"}


def waiting(cli: Cli) -> str:
    """An order that waits for its decision."""
    cli("start", "order", "--id", "o1", "--set", "cents=1999")
    statuses = [json.loads(cli("show", "o1", "--json").stdout)["status"] for _ in range(4)]
    assert statuses[-1] == "paused"
    return "o1"


def decide(service: Service) -> None:
    """Somebody says yes."""
    service.runner.app.front_door.signal("o1", "decision", {"ok": True}, idempotency_key="k")


# --- start -------------------------------------------------------------------------------------


def test_a_start_tells_the_run_and_what_to_do_next(cli: Cli) -> None:
    """The remark goes to standard error: a program reads the run."""
    result = cli("start", "quick", "--id", "q1")
    assert (result.exit_code, result.stdout) == (0, "active  q1\n")
    assert "refluxo show q1 --watch" in result.stderr


def test_a_start_with_json_prints_the_apis_document(cli: Cli) -> None:
    """One document, and nothing else anywhere."""
    result = cli("start", "quick", "--id", "q1", "--json")
    document = json.loads(result.stdout)
    assert (document["workflowId"], document["links"]["run"], result.stderr) == ("q1", "/runs/q1", "")


def test_input_comes_from_arguments_files_and_standard_input(cli: Cli, tmp_path: Path) -> None:
    """And --set puts fields into it: JSON where it can be read as such, else text; dots go deeper."""
    file = tmp_path / "input.json"
    file.write_text('{"a": 1}')
    for argument in ('{"a": 1}', f"@{file}", "-"):
        result = cli(
            *("start", "quick", "--input", argument, "--set", "b.c=2", "--set", "d=x y", "--set", 'e="3"'),
            *("--wait", "5", "--interval", "0", "--json"),
            input='{"a": 1}',
        )
        assert json.loads(result.stdout)["output"] == {"said": {"a": 1, "b": {"c": 2}, "d": "x y", "e": "3"}}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--input", "{"], "this is not JSON"),
        (["--input", "hello"], "text needs its quotes"),
        (["--input", "@nowhere.json"], "nowhere.json cannot be read"),
        (["--input", "[1]", "--set", "a=1"], "has no object there"),
        (["--input", '{"a": 1}', "--set", "a.b=1"], "has no object there"),
        (["--set", "a"], "must be KEY=VALUE"),
        (["--tag", "=x"], "must be KEY=VALUE"),
    ],
)
def test_an_input_that_is_none_is_told_before_anything_is_sent(
    arguments: list[str], told: str, cli: Cli, service: Service
) -> None:
    """Exit code 2: the command line is at fault."""
    result = cli("start", "quick", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert service.events == []


def test_tags_and_tenant_go_with_the_run(cli: Cli) -> None:
    """A tenant alone is shown too."""
    cli("start", "quick", "--id", "q1", "--tag", "shop=berlin", "--tag", "vip=", "--tenant", "acme")
    run = json.loads(cli("show", "q1", "--json").stdout)
    assert (run["tags"], run["tenant"]) == ({"shop": "berlin", "vip": ""}, "acme")
    assert "shop=berlin" in cli("show", "q1").stdout


def test_a_key_makes_two_starts_one_run(cli: Cli) -> None:
    """As the API's Idempotency-Key does."""
    ids = {json.loads(cli("start", "quick", "--key", "k", "--json").stdout)["workflowId"] for _ in range(2)}
    assert len(ids) == 1


def test_waiting_for_a_run_that_completes(cli: Cli) -> None:
    """Its output is shown."""
    result = cli("start", "quick", "--set", "a=1", "--wait", "5", "--interval", "0")
    assert result.exit_code == 0
    assert "completed" in result.stdout
    assert '"said": {' in result.stdout


def test_waiting_for_a_run_that_does_not_end_in_time(cli: Cli) -> None:
    """Exit code 1, and how to go on watching."""
    result = cli("start", "order", "--id", "o1", "--wait", "0", "--interval", "0")
    assert result.exit_code == 1
    assert "not ended within" in result.stderr
    assert "refluxo show o1 --watch" in result.stderr


def test_waiting_for_a_run_that_waits_for_somebody(cli: Cli) -> None:
    """At once, however long there would be time: exit code 1, and what it waits for."""
    result = cli("start", "order", "--id", "o1", "--wait", "1000000", "--interval", "0")
    assert result.exit_code == 1
    assert "not ended: refluxo signal o1 decision" in result.stderr


def test_an_input_that_is_not_given_is_told(cli: Cli) -> None:
    """Once, with the options that give one."""
    nodes = [{"id": "a", "type": "core:set"}]
    cli("put", json.dumps({"name": "strict", "nodes": nodes, "input": {"type": "object"}}))
    result = cli("start", "strict")
    assert result.exit_code == 4
    assert result.stderr.splitlines()[0].endswith("422: what was sent is not valid")
    assert result.stderr.count("no input was given") == 1
    assert "next: give --input" in result.stderr


def test_a_workflow_of_another_name_is_told_with_the_nearest(cli: Cli) -> None:
    """Stored ones too."""
    cli("put", json.dumps({"name": "greeting", "nodes": [{"id": "a", "type": "core:set"}]}))
    for name, near in (("ordr", "order"), ("greting", "greeting")):
        result = cli("start", name)
        assert result.exit_code == 3
        assert "there are: greeting, loop, order, quick" in result.stderr
        assert f"next: did you mean {near}?" in result.stderr
    assert "refluxo workflows" in cli("start", "nothing-like-it").stderr


def test_a_start_of_a_run_that_has_ended_says_so(cli: Cli) -> None:
    """There is nothing to follow."""
    cli("start", "quick", "--id", "q1", "--wait", "5", "--interval", "0")
    assert cli("start", "quick", "--id", "q1").stderr == "refluxo show q1 shows it\n"


def test_watching_a_start_to_its_end(cli: Cli) -> None:
    """Each state once, the last in full."""
    result = cli("start", "loop", "--watch", "--interval", "0")
    assert result.exit_code == 0
    assert '"count": 3' in result.stdout
    assert "\N{MULTIPLICATION SIGN}4" in next(line for line in result.stdout.splitlines() if line.startswith("✓ each"))


# --- show --------------------------------------------------------------------------------------


def test_a_run_is_shown_with_its_graph_and_its_webhook(cli: Cli) -> None:
    """And what it waits for."""
    result = cli("show", waiting(cli))
    assert result.exit_code == 0
    assert "waits for 'decision'" in result.stdout
    assert "/webhooks/" in result.stdout
    assert "├─true─→ ○ ship" in result.stdout


def test_a_link_is_shown_unbroken(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """However narrow the terminal is: it is there to be copied."""
    run_id = waiting(cli)
    monkeypatch.setenv("COLUMNS", "40")
    link = json.loads(cli("show", run_id, "--json").stdout)["wait"]["callbackUrl"]
    assert f"webhook  {link}" in cli("show", run_id).stdout.splitlines()


def test_showing_a_run_tells_what_to_call_next(cli: Cli) -> None:
    """By where it stands; of one that is done there is nothing more to tell."""
    cli("start", "order", "--id", "o1")
    assert "--watch follows it" in cli("show", "o1").stderr
    assert "refluxo signal o1 decision" in [cli("show", "o1").stderr for _ in range(4)][-1]
    cli("pause", "o1")
    assert "refluxo resume o1" in cli("show", "o1").stderr
    cli("resume", "o1")
    cli("signal", "o1", "decision", '{"ok": false}')
    assert "refluxo retry o1" in cli("show", "o1").stderr
    cli("start", "quick", "--id", "q1")
    assert cli("show", "q1").stderr == ""


def test_a_run_is_shown_without_its_graph(cli: Cli, service: Service) -> None:
    """Then nobody asks for the definition."""
    result = cli("show", waiting(cli), "--no-graph")
    assert "ship" not in result.stdout
    assert not any("/workflows/order?" in str(event["rawPath"]) for event in service.events)


def test_watching_shows_each_change_once(cli: Cli, service: Service) -> None:
    """A signal that comes meanwhile is seen; the same state twice is a 304 and no line."""
    waiting(cli)
    service.before = when_looked_at(6, lambda: decide(service))
    result = cli("show", "o1", "--watch", "--interval", "0", "--json")
    states = [json.loads(line) for line in result.stdout.splitlines()]
    assert [state["status"] for state in states] == ["paused", "completed"]
    assert result.exit_code == 0


def test_watching_a_run_that_fails_exits_with_1(cli: Cli) -> None:
    """And says why it failed."""
    cli("signal", waiting(cli), "decision", '{"ok": false}')
    result = cli("show", "o1", "--watch", "--interval", "0")
    assert result.exit_code == 1
    assert "refused: Refused: somebody said no" in result.stdout


def test_a_service_that_is_away_for_a_moment_is_waited_for(cli: Cli, service: Service) -> None:
    """While a run is watched: it may be being deployed."""
    waiting(cli)
    answers: list[Mapping[str, object] | None] = [None, UNWELL, UNWELL]

    def away(_: object) -> Mapping[str, object] | None:
        if answers:
            return answers.pop(0)
        decide(service)
        return None

    service.before = away
    assert cli("show", "o1", "--watch", "--no-graph", "--interval", "0").exit_code == 0
    assert answers == []


def test_a_service_that_stays_away_is_told(cli: Cli, service: Service) -> None:
    """After some looks."""
    waiting(cli)
    answers = [None]
    service.before = lambda _: answers.pop() if answers else UNWELL
    assert cli("show", "o1", "--watch", "--no-graph", "--interval", "0").exit_code == 5


# --- list --------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first(cli: Cli) -> None:
    """With where they stand."""
    cli("start", "quick", "--id", "q1")
    waiting(cli)
    lines = cli("list").stdout.splitlines()
    assert lines[0].split() == ["RUN", "WORKFLOW", "STATUS", "AT", "STARTED", "TAGS"]
    assert lines[1].split()[:4] == ["o1", "order", "paused", "approval"]
    assert lines[2].split()[:4] == ["q1", "quick", "completed", "-"]


def test_every_filter_of_a_list_reaches_the_api(cli: Cli, service: Service) -> None:
    """Times as epoch milliseconds."""
    cli(
        *("list", "--workflow", "order", "--status", "paused", "--tag", "a=b c", "--limit", "7", "--cursor", "x"),
        *("--since", "2026-01-01T00:00:00Z", "--until", "1767225600001"),
    )
    assert service.events[-1]["queryStringParameters"] == {
        "workflow": "order",
        "status": "paused",
        "since": "1767225600000",
        "until": "1767225600001",
        "tag": "a=b c",
        "limit": "7",
        "cursor": "x",
    }


def test_pages_are_read_until_there_are_enough_or_no_more(cli: Cli) -> None:
    """With where to go on, for who wants more."""
    for number in range(130):
        cli("start", "quick", "--id", f"q{number}", "--json")
    first = json.loads(cli("list", "--limit", "120", "--json").stdout)
    assert len(first["runs"]) == 120
    rest = json.loads(cli("list", "--cursor", first["cursor"], "--json").stdout)
    assert (len(rest["runs"]), rest["cursor"]) == (10, None)
    assert len(json.loads(cli("list", "--all", "--json").stdout)["runs"]) == 130
    assert "--cursor" in cli("list", "--limit", "1").stderr


def test_a_list_of_nothing_says_what_to_do(cli: Cli) -> None:
    """And is still a document for programs."""
    assert "refluxo start" in cli("list").stderr
    assert "no runs are so" in cli("list", "--status", "failed").stderr
    assert json.loads(cli("list", "--json").stdout) == {"runs": [], "cursor": None}


# --- history -----------------------------------------------------------------------------------


def test_a_history_tells_each_transition(cli: Cli) -> None:
    """With failed attempts, and what operators did."""
    cli("pause", waiting(cli), "--reason", "freeze")
    lines = cli("history", "o1").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["VERSION", "1", "2", "3", "3"]
    assert "Overloaded: 503" in lines[1]
    assert '{"charged": 1999}' in lines[2]
    assert "hold" in lines[4]
    assert "(freeze)" in lines[4]


def test_a_history_as_json_is_one_document_of_all_pages(cli: Cli) -> None:
    """Whatever their number."""
    waiting(cli)
    whole = json.loads(cli("history", "o1", "--json").stdout)
    assert ([entry["version"] for entry in whole["entries"]], whole["after"]) == ([1, 2, 3], None)
    first = json.loads(cli("history", "o1", "--limit", "2", "--json").stdout)
    assert ([entry["version"] for entry in first["entries"]], first["after"]) == ([1, 2], 2)
    rest = json.loads(cli("history", "o1", "--after", "2", "--json").stdout)
    assert [entry["version"] for entry in rest["entries"]] == [3]
    assert "--after 1" in cli("history", "o1", "--limit", "1").stderr


def test_following_a_history_tells_each_entry_once(cli: Cli, service: Service) -> None:
    """Until the run has ended, what operators did meanwhile included."""
    waiting(cli)
    service.before = when_looked_at(5, lambda: decide(service))
    result = cli("history", "o1", "--follow", "--interval", "0", "--json")
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert [entry["version"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert result.exit_code == 0


def test_following_in_a_pipe_cuts_nothing(cli: Cli) -> None:
    """Whatever reads it has no width."""
    long = "x" * 500
    cli("start", "quick", "--id", "q1", "--set", f"a={long}")
    assert long in cli("history", "q1", "--follow", "--interval", "0").stdout


def test_following_as_many_entries_as_asked_for(cli: Cli) -> None:
    """Then it is enough."""
    result = cli("history", waiting(cli), "--follow", "--interval", "0", "--limit", "2")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["1", "2"]


# --- what changes a run ------------------------------------------------------------------------


def test_a_signal_is_delivered_once_by_its_key(cli: Cli) -> None:
    """And the repeat is told as one."""
    waiting(cli)
    assert "now it waits for 'decision'" in cli("signal", "o1", "decison", "1").stderr
    first = cli("signal", "o1", "other", "1", "--key", "k", "--json")
    assert json.loads(first.stdout)["repeated"] is False
    assert "this one is not taken" in cli("signal", "o1", "other", "2", "--key", "k").stdout


def test_a_second_answer_is_told_as_one_that_is_not_taken(cli: Cli, service: Service) -> None:
    """By the link and by the run: the first counts, and who comes second is not told otherwise."""
    link = json.loads(cli("show", waiting(cli), "--json").stdout)["wait"]["callbackUrl"]
    cli("pause", "o1")
    path = f"{service.url}/webhooks/{link.rpartition('/')[2]}"
    assert cli("resume", path, '{"ok": false}').stdout == "payload delivered\n"
    assert cli("resume", path, '{"ok": true}').stdout == "an answer was given before; this one is not taken\n"
    assert cli("pause", "o1").stdout == "o1 is on hold (it had been before)\n"


def test_resume_ends_a_wait_with_a_payload(cli: Cli) -> None:
    """By the run's id."""
    assert cli("resume", waiting(cli), '{"ok": true}').exit_code == 0
    assert json.loads(cli("show", "o1", "--json").stdout)["output"] == {"shipped": True}


def test_resume_takes_a_webhooks_address(cli: Cli, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """And sends nobody's credentials there: a link is its own permission."""
    run = json.loads(cli("show", waiting(cli), "--json").stdout)
    token = run["wait"]["callbackUrl"].rpartition("/")[2]
    monkeypatch.setenv("REFLUXO_TOKEN", "secret")
    monkeypatch.setenv("REFLUXO_URL", "https://somewhere.invalid")
    result = cli("resume", f"{service.url}/webhooks/{token}", '{"ok": true}')
    assert result.exit_code == 0
    headers = service.events[-1]["headers"]
    assert isinstance(headers, dict)
    assert "authorization" not in headers


def test_an_address_that_is_no_webhook_is_told(cli: Cli, service: Service) -> None:
    """Exit code 3 when nothing is there, 2 when it is no address."""
    assert cli("resume", f"{service.url}/webhooks/nonsense").exit_code == 3
    assert cli("resume", "https://[nonsense").exit_code == 2


def test_pause_and_resume_hold_a_run_and_let_it_go(cli: Cli) -> None:
    """The reasons are kept."""
    cli("start", "order", "--id", "o1")
    assert "on hold" in cli("pause", "o1", "--reason", "freeze").stdout
    assert "on hold by anonymous: freeze" in cli("show", "o1").stdout
    assert cli("resume", "o1", "--reason", "over").stdout == "the hold of o1 is lifted\n"
    assert "(over)" in cli("history", "o1").stdout


def test_a_reason_and_a_payload_do_not_go_together(cli: Cli) -> None:
    """A hold is lifted without a payload."""
    assert cli("resume", "o1", "1", "--reason", "x").exit_code == 2


def test_cancel_tells_the_new_status(cli: Cli) -> None:
    """A second one is refused: exit code 4."""
    assert cli("cancel", waiting(cli), "--reason", "twice").stdout == "cancelled  o1\n"
    assert cli("show", "o1", "--watch", "--interval", "0").exit_code == 1


def test_retry_goes_on_with_other_data(cli: Cli) -> None:
    """In this run alone."""
    cli("signal", waiting(cli), "decision", '{"ok": false}')
    cli("show", "o1")
    result = cli("retry", "o1", "--data", '{"error": "Other", "message": "again"}', "--reason", "why not")
    assert result.stdout == "o1 goes on at the node that failed\n"
    assert "Other: again" in cli("show", "o1").stdout
    assert json.loads(cli("retry", "o1", "--definition", "latest", "--json").stdout)["workflowId"] == "o1"


def test_fork_begins_at_a_version(cli: Cli) -> None:
    """And names the new run."""
    result = cli("fork", waiting(cli), "--version", "2", "--id", "o2")
    assert (result.exit_code, result.stdout) == (0, "active  o2, forked from o1\n")
    assert json.loads(cli("show", "o2", "--json").stdout)["status"] == "paused"


def test_delete_removes_what_has_ended(cli: Cli) -> None:
    """And is refused, exit code 4, for what has not; who is no terminal is not asked."""
    assert cli("delete", waiting(cli)).exit_code == 4
    cli("cancel", "o1")
    assert json.loads(cli("delete", "o1", "--json").stdout) == {"workflowId": "o1", "removed": True}
    assert cli("show", "o1").exit_code == 3


def test_a_long_removal_is_asked_for_until_it_is_done(cli: Cli, service: Service) -> None:
    """The API answers that there is more."""
    answers: list[bool] = [True, False, False]
    service.before = lambda _: {"statusCode": 202, "body": json.dumps({"workflowId": "o1", "removed": answers.pop()})}
    assert cli("delete", "o1").exit_code == 0
    assert answers == []


# --- workflows and the service -----------------------------------------------------------------


def test_workflows_are_listed(cli: Cli) -> None:
    """With where they come from."""
    lines = cli("workflows").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["WORKFLOW", "loop", "order", "quick"]
    assert lines[2].endswith("code  Charges, asks, ships.")


def test_a_definition_is_put_and_started(cli: Cli, tmp_path: Path) -> None:
    """By its own name, or another."""
    file = tmp_path / "hi.json"
    file.write_text(json.dumps({"name": "hi", "nodes": [{"id": "a", "type": "core:set", "data": "hi"}]}))
    for argument in (str(file), f"@{file}", file.read_text(), "-"):
        assert cli("put", argument, input=file.read_text()).stdout.startswith("hi, version ")
    assert cli("put", f"@{file}", "--name", "ho").stdout.startswith("ho, version ")
    result = cli("start", "ho", "--wait", "5", "--interval", "0", "--json")
    assert json.loads(result.stdout)["output"] == "hi"


@pytest.mark.parametrize("definition", ["[]", "{}", '{"name": "x", "nodes": []}', '{"name": "loop", "nodes": []}'])
def test_a_definition_that_cannot_be_put_is_refused(definition: str, cli: Cli) -> None:
    """Before it is sent, or by the service."""
    assert cli("put", definition).exit_code in {2, 4}


def test_faults_of_a_definition_are_told_with_their_places(cli: Cli) -> None:
    """Each on a line, once, though the service names it in its sentence and in its list."""
    result = cli("put", '{"name": "x", "nodes": [{"id": "a", "type": "no:such"}]}')
    assert result.exit_code == 4
    assert result.stderr.count("nodes[0].type") == 1


def test_node_types_are_listed_with_fields_and_handles(cli: Cli) -> None:
    """As editors get them with --json."""
    lines = {line.split()[0]: line for line in cli("node-types").stdout.splitlines()}
    assert "true false" in lines["core:if"]
    assert "by its data" in lines["core:switch"]
    assert "not declared" in lines["shop:flaky"]
    assert "Cannot be executed yet." in lines["core:map"]
    assert "Cannot be executed yet." not in lines["core:http"]
    types = json.loads(cli("node-types", "--json").stdout)["nodeTypes"]
    assert "shop:flaky" in {each["type"] for each in types}


def test_health_is_told(cli: Cli, service: Service) -> None:
    """Exit code 1 when runs are overdue, 5 when a part does not answer."""
    assert cli("health").stdout == "ok  table ok, queue ok, overdueRuns 0\n"
    service.before = lambda _: {"statusCode": 200, "body": '{"status": "degraded", "overdueRuns": 3}'}
    assert cli("health").exit_code == 1
    service.before = lambda _: {"statusCode": 503, "body": '{"status": "degraded"}'}
    assert cli("health").exit_code == 5
