"""``refluxo smoke`` against the real handlers over memory: a sound deployment passes, a broken one does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cli.http_client import Api
from cli.smoke import Smoke
from engine import Registry
from tests.cli.conftest import Cli
from tests.cli.service import Service

CHECKS = [
    *("health", "definitions", "chained steps", "delayed retry", "webhook", "hold", "cancel", "large value"),
    "clean up",
]


@pytest.fixture
def service() -> Any:
    """A deployment without any code of a user, whose links lead to itself."""
    with Service(Registry()) as running:
        running.change_settings(public_url=running.url)
        yield running


def checks(cli: Cli, *arguments: str) -> tuple[int, dict[str, Mapping[str, Any]]]:
    """Exit code, and what became of each check."""
    result = cli("smoke", "--interval", "0", "--timeout", "5", "--json", *arguments)
    document = json.loads(result.stdout)
    assert document["ok"] == (result.exit_code == 0)
    return result.exit_code, {check["name"]: check for check in document["checks"]}


def test_a_sound_deployment_passes_each_check(cli: Cli) -> None:
    """By core node types alone, and leaves no run behind."""
    code, found = checks(cli)
    assert (code, list(found)) == (0, CHECKS)
    assert "101 steps" in found["chained steps"]["saw"]
    assert "3.0 s apart" in found["delayed retry"]["saw"]
    assert "640 KB" in found["large value"]["saw"]
    assert json.loads(cli("list", "--all", "--json").stdout)["runs"] == []


def test_the_checklist_is_for_people(cli: Cli) -> None:
    """A line for each check, and a verdict."""
    result = cli("smoke", "--interval", "0")
    lines = result.stdout.splitlines()
    assert [line[2:17].strip() for line in lines[:-1]] == CHECKS
    assert all(line.startswith("✓") for line in lines[:-1])
    assert " is well " in lines[-1]


def test_runs_can_be_kept(cli: Cli, service: Service) -> None:
    """To be looked at, by their tag. The large value is in the bucket."""
    code, found = checks(cli, "--keep")
    assert max(map(len, service.runner._bucket.objects.values())) > 400 * 1024
    tag = found["clean up"]["saw"].rpartition(" ")[2]
    assert code == 0
    assert len(json.loads(cli("list", "--tag", tag, "--json").stdout)["runs"]) == 6


Broken = Callable[[Mapping[str, Any]], Mapping[str, object] | None]


def answering(status: int, path: str, method: str = "POST") -> Broken:
    """A deployment that answers so where it should do something."""

    def broken(event: Mapping[str, Any]) -> Mapping[str, object] | None:
        hit = path in event["rawPath"] and event["requestContext"]["http"]["method"] == method
        return {"statusCode": status, "body": "{}"} if hit else None

    return broken


@pytest.mark.parametrize(
    ("broken", "failing"),
    [
        (answering(503, "/health", "GET"), ["health"]),
        (answering(409, "/workflows/", "PUT"), ["definitions"]),
        (answering(403, "/webhooks/"), ["webhook"]),
        (answering(202, "/pause"), ["hold"]),
        (answering(202, "/cancel"), ["cancel"]),
        (answering(413, "refluxo-smoke-large/runs"), ["large value"]),
        (answering(500, "/runs/", "DELETE"), ["clean up"]),
    ],
)
def test_what_is_broken_is_named(broken: Broken, failing: list[str], cli: Cli, service: Service) -> None:
    """And what comes after it is checked all the same, unless nothing can be."""
    service.before = broken
    code, found = checks(cli, "--timeout", "0.2")
    assert code == 1
    named = [name for name, check in found.items() if not check["ok"]]
    assert named[: len(failing)] == failing
    assert set(named) <= {*failing, "clean up"}
    assert (list(found) == CHECKS) == (failing not in (["health"], ["definitions"]))


def test_overdue_runs_of_others_are_told_and_the_rest_is_checked(cli: Cli, service: Service) -> None:
    """The deployment answers; what is overdue may be anybody's."""

    def degraded(event: Mapping[str, Any]) -> Mapping[str, object] | None:
        body = '{"status": "degraded", "overdueRuns": 3}'
        return {"statusCode": 200, "body": body} if event["rawPath"] == "/health" else None

    service.before = degraded
    code, found = checks(cli)
    assert (code, list(found)) == (1, CHECKS)
    assert [name for name, check in found.items() if not check["ok"]] == ["health"]
    assert "overdueRuns 3" in found["health"]["saw"]


def test_a_chain_that_is_cut_is_found(cli: Cli, service: Service) -> None:
    """The recursion guard of AWS drops the message of a run that goes on and on, and tells nobody."""
    service.change_settings(run_steps_max=16)
    code, found = checks(cli, "--timeout", "0.2")
    assert code == 1
    assert not found["chained steps"]["ok"]


def test_a_deployment_that_is_not_there_is_told(cli: Cli) -> None:
    """As a check that failed: the report is the same document."""
    code, found = checks(cli, "--url", "http://127.0.0.1:9")
    assert (code, list(found)) == (1, ["health"])
    assert "did not answer" in found["health"]["saw"]


def test_an_interrupted_smoke_leaves_nothing_behind(cli: Cli, service: Service) -> None:
    """Also what is still waiting is cancelled and removed."""
    service.before = answering(202, "/pause")

    def interrupt(name: str) -> None:
        if name == "cancel":
            raise KeyboardInterrupt

    smoke = Smoke(Api(service.url), timeout_seconds=5, interval_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        list(smoke.outcomes(interrupt))
    assert json.loads(cli("list", "--all", "--json").stdout)["runs"] == []
