"""With a tenant's claim set, whoever comes with a token sees and touches one tenant's runs, and hears of no other's."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from dispatcher.bootstrap import App
from dispatcher.limits import SOUGHT_PAGE_RUNS, SOUGHT_PAGES_PER_CALL
from engine import Status
from tests.dispatcher import examples
from tests.dispatcher.memory_loop import MemoryLoop
from tests.dispatcher.settings import SETTINGS
from tests.dispatcher.virtual_time import VirtualTime

CLAIM: Final = "custom:tenant"
OPERATOR: Final = {"iam": {"userArn": "arn:aws:iam::123456789012:user/ops"}}


def _token(tenant: object) -> Mapping[str, object]:
    return {"jwt": {"claims": {"sub": "mara", CLAIM: tenant}}}


class Api:
    """A deployment that tells tenants apart."""

    def __init__(self, time: VirtualTime) -> None:
        registry = examples.wait()
        examples.add(registry, "failing", [{"id": "only", "type": "core:fail", "data": {"error": "E"}}], [])
        self.loop = MemoryLoop(registry, time, replace(SETTINGS, tenant_claim=CLAIM))

    @property
    def app(self) -> App:
        """The process."""
        return self.loop.app

    def ask(
        self,
        authorizer: object,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """A request of a caller whom the authorizer knows; the answer with its body read."""
        path, _, query = path.partition("?")
        event = {
            "rawPath": path,
            "requestContext": {"http": {"method": method}, "authorizer": authorizer},
            "queryStringParameters": dict(part.split("=", 1) for part in query.split("&") if part),
            "headers": headers or {},
            "body": "" if body is None else json.dumps(body),
        }
        answer = self.app.http_api.handle(event)
        text = str(answer["body"])
        return {**answer, "body": json.loads(text) if text else None}


ACME, OTHER = _token("acme"), _token("other")


@pytest.fixture
def api(time: VirtualTime) -> Api:
    """One run of each tenant that waits, and one of nobody's."""
    api = Api(time)
    for authorizer, run in ((ACME, "acme-1"), (OTHER, "other-1"), (OPERATOR, "nobody-1")):
        assert api.ask(authorizer, "POST", "/workflows/wait/runs", {"workflowId": run})["statusCode"] == 202
        time.pass_by(1)
    api.loop.settle()
    return api


def _ids(answer: Any) -> list[str]:
    return [run["workflowId"] for run in answer["body"]["runs"]]


def test_a_run_is_its_starter_s_tenant_s(api: Api) -> None:
    """Without a word of it, and with the same; an operator's is whose the body says, or nobody's."""
    assert api.loop.head("acme-1").snapshot.tenant == "acme"
    assert api.loop.head("nobody-1").snapshot.tenant is None
    for authorizer, run in ((ACME, "acme-2"), (OPERATOR, "acme-3")):
        body = {"workflowId": run, "tenant": "acme"}
        assert api.ask(authorizer, "POST", "/workflows/wait/runs", body)["statusCode"] == 202
        assert api.loop.head(run).snapshot.tenant == "acme"


def test_another_tenant_s_run_cannot_be_started(api: Api) -> None:
    """403, and nothing is written."""
    answer = api.ask(ACME, "POST", "/workflows/wait/runs", {"workflowId": "a", "tenant": "other"})
    assert answer["statusCode"] == 403
    assert api.loop.store.load("a") is None


CALLS: Final = [
    ("GET", "/runs/{}"),
    ("HEAD", "/runs/{}"),
    ("GET", "/runs/{}/history"),
    ("POST", "/runs/{}/signals/go"),
    ("POST", "/runs/{}/resume"),
    ("POST", "/runs/{}/pause"),
    ("POST", "/runs/{}/cancel"),
    ("POST", "/runs/{}/retry"),
    ("POST", "/runs/{}/fork"),
    ("DELETE", "/runs/{}"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("run", ["other-1", "nobody-1"])
def test_another_s_run_is_not_told_apart_from_none(api: Api, method: str, path: str, run: str) -> None:
    """The same answer, to the letter, and nothing has changed; its own tenant and operators are answered."""
    before = api.loop.store.load(run)
    answer, nothing = (api.ask(ACME, method, path.format(name)) for name in (run, "nothing"))
    assert answer["statusCode"] == 404
    assert json.dumps(answer).replace(run, "nothing") == json.dumps(nothing)
    assert api.loop.store.load(run) == before
    assert api.ask(ACME, method, path.format("acme-1"))["statusCode"] != 404
    assert api.ask(OPERATOR, method, path.format(run))["statusCode"] != 404


@pytest.mark.parametrize("body", [{}, {"input": 1}])
def test_an_id_that_is_another_s_is_taken_and_no_more_is_told(api: Api, body: Mapping[str, object]) -> None:
    """409 whether the start is the same or not; the run is not the caller's to have."""
    answer = api.ask(ACME, "POST", "/workflows/wait/runs?wait=1", {"workflowId": "other-1", **body})
    assert answer["statusCode"] == 409
    assert answer["body"]["detail"] == "the id 'other-1' is taken; choose another"


def test_the_same_key_of_two_tenants_is_two_keys(api: Api) -> None:
    """Each has a run of its own, and a repeat of each is its own."""
    answers = [
        api.ask(authorizer, "POST", "/workflows/wait/runs", {"input": 1}, {"idempotency-key": "k"})
        for authorizer in (ACME, OTHER, ACME, OTHER)
    ]
    assert [answer["statusCode"] for answer in answers] == [202, 202, 200, 200]
    first, second, *again = (answer["body"]["workflowId"] for answer in answers)
    assert first != second
    assert again == [first, second]


class TestListing:
    """GET /runs."""

    def test_only_the_caller_s(self, api: Api) -> None:
        """Operators see all."""
        assert _ids(api.ask(ACME, "GET", "/runs")) == ["acme-1"]
        assert _ids(api.ask(OTHER, "GET", "/runs?workflow=wait&status=paused")) == ["other-1"]
        assert _ids(api.ask(_token("third"), "GET", "/runs")) == []
        assert _ids(api.ask(OPERATOR, "GET", "/runs")) == ["nobody-1", "other-1", "acme-1"]

    @pytest.mark.parametrize(
        ("limit", "share", "at_once"), [(2, 3, True), (7, 2, False), (50, 3, False), (200, 150, True), (1, 150, False)]
    )
    def test_every_page_and_no_other_s_id(self, time: VirtualTime, limit: int, share: int, at_once: bool) -> None:
        """Each run once, newest first, however thin the caller's are; no cursor holds anything of another's run."""
        api = Api(time)
        count = SOUGHT_PAGE_RUNS * SOUGHT_PAGES_PER_CALL + 250
        own: list[str] = []
        for number in range(count):
            mine = number % share == 0
            run = f"{'acme' if mine else 'secret'}-{number:04d}"
            api.loop.start("wait", run=run, tenant="acme" if mine else "other")
            if mine:
                own.append(run)
            if not at_once or number % 7 == 0:
                time.pass_by(1)
        own.sort(key=lambda run: (api.loop.head(run).started_at_ms, run), reverse=True)
        told: list[str] = []
        query = f"limit={limit}"
        for _ in range(count + 2):
            answer = api.ask(ACME, "GET", f"/runs?{query}")
            assert len(answer["body"]["runs"]) <= limit
            told += _ids(answer)
            cursor = answer["body"]["cursor"]
            if cursor is None:
                break
            assert b"secret" not in base64.urlsafe_b64decode(cursor + "==")
            query = f"limit={limit}&cursor={cursor}"
        assert told == own

    def test_a_millisecond_with_more_runs_than_a_call_looks_through(self, time: VirtualTime) -> None:
        """The listing comes to its end; those of the millisecond that were found are told."""
        api = Api(time)
        api.loop.start("wait", run="acme-1", tenant="acme")
        time.pass_by(1)
        for number in range(SOUGHT_PAGE_RUNS * SOUGHT_PAGES_PER_CALL * 2 + 10):
            api.loop.start("wait", run=f"secret-{number:04d}", tenant="other")
        told: list[str] = []
        cursor: str | None = ""
        for _ in range(6):
            body = api.ask(ACME, "GET", f"/runs?limit=1&cursor={cursor}")["body"]
            told += [run["workflowId"] for run in body["runs"]]
            cursor = body["cursor"]
            if cursor is None:
                break
        assert cursor is None
        assert told == ["acme-1"]


@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        {},
        {"jwt": {"claims": {"sub": "mara"}}},
        _token(""),
        _token("no name"),
        _token(["acme"]),
        _token(None),
        {"jwt": {}},
        {"lambda": {"principalId": "mara"}},
    ],
)
def test_whoever_is_of_no_tenant_is_turned_away(api: Api, authorizer: object) -> None:
    """403 for all but what is open to everybody; a missing claim does not make an operator of anybody."""
    for method, path in [*((m, p.format("acme-1")) for m, p in CALLS), ("GET", "/runs"), ("GET", "/workflows")]:
        assert api.ask(authorizer, method, path)["statusCode"] == 403, path
    assert api.ask(authorizer, "POST", "/workflows/wait/runs", {})["statusCode"] == 403
    assert api.ask(authorizer, "GET", "/health")["statusCode"] == 200


def test_a_link_is_its_own_authority(api: Api) -> None:
    """Whoever holds it, of whatever tenant or none."""
    url = api.ask(ACME, "GET", "/runs/acme-1")["body"]["wait"]["callbackUrl"]
    path = url.removeprefix(SETTINGS.public_url)
    assert api.ask(None, "GET", path)["body"]["workflowId"] == "acme-1"
    assert api.ask(OTHER, "POST", path, {"ok": True})["statusCode"] == 202
    api.loop.settle()
    assert api.loop.head("acme-1").snapshot.status is Status.COMPLETED


def test_definitions_are_shared_so_no_tenant_writes_them(api: Api) -> None:
    """403 for PUT, and for a retry with other data, whose expressions might read what only authors may."""
    definition = {"nodes": [{"id": "a", "type": "core:set"}]}
    assert api.ask(ACME, "PUT", "/workflows/mine", definition)["statusCode"] == 403
    assert api.loop.store.load_pointer("mine") is None
    api.ask(ACME, "POST", "/workflows/failing/runs", {"workflowId": "failed"})
    api.loop.settle()
    data = {"error": "E", "message": "{{ globals.secret }}"}
    assert api.ask(ACME, "POST", "/runs/failed/retry", {"data": data})["statusCode"] == 403
    assert api.ask(ACME, "POST", "/runs/failed/retry", {"reason": "again"})["statusCode"] == 202
    assert api.ask(ACME, "GET", "/workflows/wait")["statusCode"] == 200
    assert api.ask(OPERATOR, "PUT", "/workflows/mine", definition)["statusCode"] == 201


def test_a_fork_stays_with_its_tenant(api: Api) -> None:
    """Also when the caller names its id."""
    answer = api.ask(ACME, "POST", "/runs/acme-1/fork", {"version": 1, "workflowId": "forked"})
    assert answer["statusCode"] == 202
    assert api.ask(ACME, "GET", "/runs/forked")["statusCode"] == 200
    assert api.ask(OTHER, "GET", "/runs/forked")["statusCode"] == 404


def test_without_the_setting_a_token_is_as_good_as_a_signature(time: VirtualTime) -> None:
    """Its claims are nobody's tenant; the body says whose a run is."""
    api = Api(time)
    app = App(SETTINGS, api.app.adapters, api.app.registry)
    event = {
        "rawPath": "/workflows/wait/runs",
        "requestContext": {"http": {"method": "POST"}, "authorizer": ACME},
        "body": '{"workflowId": "a", "tenant": "other"}',
    }
    assert app.http_api.handle(event)["statusCode"] == 202
    assert api.loop.head("a").snapshot.tenant == "other"
