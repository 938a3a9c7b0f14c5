"""The table of grants against the calls that the functions' code really makes, each listened to on its own.

A call without its grant would be seen on Lambda alone, and perhaps only on the day of an outage; a grant without its
call is one too many.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.model import OperationModel
from moto import mock_aws

from dispatcher import table_schema
from dispatcher.bootstrap import App, aws_adapters
from dispatcher.dead_letter_handler import handle_dead_letters
from dispatcher.event_handler import handle_event
from dispatcher.http.routes import ROUTES, Route
from dispatcher.queue_handler import handle_batch
from dispatcher.settings import Settings
from dispatcher.sweep_handler import handle_schedule
from engine import Registry, Step
from engine.json_value import JsonValue
from infra.grants import DEAD_LETTERS, DISPATCHER, EVENTS, FRONT_DOOR, SWEEP, Grants, Resource
from local.front import http_event
from local.poller import FunctionContext
from local.provision import BUCKET_NAME, PARKED_QUEUE_NAME, QUEUE_NAME, SECRET_NAME, TABLE_NAME, provision
from tests.infra.permissions import ACCOUNT_ID, REGION, asked

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

Call = tuple[Resource, str]

URL: Final = "https://api.test"

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS

_TABLE_ARN: Final = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{TABLE_NAME}"
_BUCKET_ARN: Final = f"arn:aws:s3:::{BUCKET_NAME}"

RESOURCES: Final = {
    _TABLE_ARN: Resource.TABLE,
    f"{_TABLE_ARN}/index/{table_schema.DUE_INDEX}": Resource.DUE_INDEX,
    f"{_TABLE_ARN}/index/{table_schema.STATUS_INDEX}": Resource.STATUS_INDEX,
    f"{_TABLE_ARN}/index/{table_schema.WORKFLOW_INDEX}": Resource.WORKFLOW_INDEX,
    f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{QUEUE_NAME}": Resource.QUEUE,
    f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{PARKED_QUEUE_NAME}": Resource.PARKED_QUEUE,
    _BUCKET_ARN: Resource.BUCKET,
    f"{_BUCKET_ARN}/{table_schema.bucket_prefix('*')}*": Resource.RUN_OBJECTS,
    f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:{SECRET_NAME}-??????": Resource.WEBHOOK_SECRET,
    "[*]": Resource.METRICS,
}
"""What was provisioned, by the patterns of ARNs that the stack grants."""


class Unheard:
    """Clients of the emulation that runs in this process."""

    def __init__(self) -> None:
        self._session = boto3.session.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION
        )

    def dynamodb(self) -> DynamoDBClient:
        """A DynamoDB client."""
        return self._session.client("dynamodb")

    def sqs(self) -> SQSClient:
        """An SQS client."""
        return self._session.client("sqs")

    def s3(self) -> S3Client:
        """An S3 client."""
        return self._session.client("s3")

    def cloudwatch(self) -> CloudWatchClient:
        """A CloudWatch client."""
        return self._session.client("cloudwatch")

    def secretsmanager(self) -> SecretsManagerClient:
        """A Secrets Manager client."""
        return self._session.client("secretsmanager")


class Heard(Unheard):
    """The same, whose calls are noted as what IAM would ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: set[Call] = set()
        self._session.events.register("before-parameter-build", self._note)

    def _note(self, params: Any, model: OperationModel, **_: object) -> None:
        self.calls |= needed(model.service_model.service_name, model.name, params)


def needed(service: str, operation: str, params: Any) -> set[Call]:
    """What IAM asks for of one call, by the names of the table of grants."""
    return {(resource_of(arn), action) for action, arn in asked(service, operation, params)}


def resource_of(arn: str) -> Resource:
    """The one resource of the installation that an ARN is of."""
    found = [resource for pattern, resource in RESOURCES.items() if fnmatchcase(arn, pattern)]
    assert len(found) == 1, arn
    return found[0]


def registry() -> Registry:
    """A workflow that uses all a step may use, one that ends by a signal, and one that fails."""
    found = Registry()

    @found.node("grants:link")
    def link(_data: JsonValue, step: Step) -> JsonValue:
        return {"link": step.callback_url, "noise": noise(2_000)}

    @found.node("grants:fail")
    def fail(_data: JsonValue) -> JsonValue:
        raise ValueError("as always")

    wait = {"id": "wait", "type": "core:wait", "data": {"signal": "go"}}
    found.add(
        {
            "name": "journey",
            "nodes": [
                {"id": "read", "type": "core:set", "data": {"copy": "{{ run.input }}"}},
                {"id": "link", "type": "grants:link"},
                wait,
                {"id": "end", "type": "core:set"},
            ],
            "edges": [
                {"source": "read", "target": "link"},
                {"source": "link", "target": "wait"},
                {"source": "wait", "target": "end"},
            ],
        }
    )
    found.add({"name": "waits", "nodes": [wait]})
    found.add({"name": "fails", "nodes": [{"id": "fail", "type": "grants:fail"}]})
    found.add({"name": "counts", "input": {"type": "object"}, "nodes": [{"id": "set", "type": "core:set"}]})
    found.route({"source": ["grants"]}, "counts")
    return found


def noise(size_bytes: int) -> str:
    """Text that no compression makes smaller than its bytes, the same each time."""
    return random.Random(size_bytes).randbytes(size_bytes).hex()  # noqa: S311


class Deployment:
    """The functions over one table, each with clients of its own, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_ms = 1_772_442_000_000
        resources = provision(Unheard(), signing_secret="whsec_test")
        self._settings = Settings.from_env(resources.environment(URL, "tests:registry"))
        self.heard: dict[str, set[Call]] = {}
        self.routes: set[Route] = set()
        self._front_door = self._function("front door")
        self._dispatcher = self._function("dispatcher")
        self._sweep = self._function("sweep")
        self._dead_letters = self._function("dead letters")
        self._events = self._function("events")

    def _function(self, name: str) -> App:
        clients = Heard()
        self.heard[name] = clients.calls
        settings = replace(self._settings, retention_days=1, plugins=("logger", "metrics"), tenant_claim="org")
        adapters = replace(aws_adapters(settings, clients), now_ms=lambda: self.now_ms)
        return App(settings, adapters, registry())

    def http(
        self, method: str, target: str, body: object = None, status: int = 202, *, tenant: str | None = None
    ) -> Any:
        """One request, an operator's or a tenant's, answered as expected; ``routes`` has what was asked for so far."""
        data = b"" if body is None else json.dumps(body).encode()
        now = datetime.fromtimestamp(self.now_ms / 1000, tz=UTC)
        path = urlsplit(target).path
        self.routes |= {route for route in ROUTES if route.method == method and route.pattern.fullmatch(path)}
        asked_for: Any = http_event(method, target, {}, data, request_id="r", now=now)
        asked_for["requestContext"]["authorizer"] = (
            {"iam": {"userArn": f"arn:aws:iam::{ACCOUNT_ID}:user/operator"}}
            if tenant is None
            else {"jwt": {"claims": {"org": tenant}}}
        )
        answer: Any = self._front_door.http_api.handle(asked_for)
        assert answer["statusCode"] == status, answer["body"][:200]
        return json.loads(answer["body"])

    def start(self, workflow: str, run: str, run_input: JsonValue = None) -> None:
        """Starts a run and forgets its message."""
        self.http("POST", f"/workflows/{workflow}/runs", {"workflowId": run, "input": run_input})

    def continuation(self, run: str) -> str:
        """The message that a run goes on by now."""
        return json.dumps({"workflowId": run, "version": self.http("GET", f"/runs/{run}", status=200)["version"]})

    def deliver(self, body: str) -> None:
        """A message to the dispatcher."""
        assert handle_batch(self._dispatcher, event(body), FunctionContext()) == {"batchItemFailures": []}

    def deliver_dead(self, body: str) -> None:
        """A message to the dead-letter function."""
        assert handle_dead_letters(self._dead_letters, event(body), FunctionContext()) == {"batchItemFailures": []}

    def publish(self, event_id: str, detail: JsonValue) -> Any:
        """An event to the event function."""
        event = {"id": event_id, "source": "grants", "detail-type": "Counted", "detail": detail}
        return handle_event(self._events, event, FunctionContext())

    def signal(self, run: str) -> None:
        """A signal, taken."""
        self.http("POST", f"/runs/{run}/signals/go", {"noise": noise(2_000)})
        self.deliver(json.dumps({"workflowId": run, "wake": True}))

    def sweep(self, *, after_ms: int) -> None:
        """Time goes by, then the sweep comes."""
        self.now_ms += after_ms
        handle_schedule(self._sweep)


def event(body: str) -> dict[str, object]:
    """A batch of one message, delivered for the first time."""
    return {"Records": [{"messageId": uuid.uuid4().hex, "body": body}]}


@pytest.fixture(scope="module")
def lived() -> Iterator[Deployment]:
    """A deployment in which some runs have lived."""
    with mock_aws():
        deployment = Deployment()
        live_and_be_removed(deployment)
        be_answered_by_a_link(deployment)
        fail_and_be_retried(deployment)
        expire(deployment)
        be_lost(deployment)
        be_started_by_events(deployment)
        be_defined(deployment)
        be_a_tenants(deployment)
        yield deployment


def live_and_be_removed(deployment: Deployment) -> None:
    """A run with values of every size, looked at, held, signalled, forked, cancelled and removed."""
    deployment.start("journey", "run-1", noise(500_000))
    for _ in range(3):
        deployment.deliver(deployment.continuation("run-1"))
    for target in ("/health", "/runs?workflow=journey", "/runs?status=paused", "/runs/run-1", "/runs/run-1/history"):
        deployment.http("GET", target, status=200)
    deployment.http("POST", "/runs/run-1/fork", {"workflowId": "fork-1"})
    deployment.http("POST", "/runs/run-1/pause")
    deployment.http("POST", "/runs/run-1/resume")
    deployment.signal("run-1")
    for run in ("run-1", "fork-1"):
        deployment.http("POST", f"/runs/{run}/cancel")
    deployment.http("DELETE", "/runs/run-1", status=409)
    for run in ("fork-1", "run-1"):
        assert deployment.http("DELETE", f"/runs/{run}", status=200)["removed"]


def be_answered_by_a_link(deployment: Deployment) -> None:
    """A run whose wait is looked at and answered by its link, with more than an item holds, by a caller who waits."""
    deployment.start("waits", "run-0")
    deployment.deliver(deployment.continuation("run-0"))
    link = deployment.http("GET", "/runs/run-0?wait=0", status=200)["wait"]["callbackUrl"].removeprefix(URL)
    assert deployment.http("GET", link, status=200)["workflowId"] == "run-0"
    deployment.http("POST", link, {"noise": noise(500_000)})
    deployment.deliver(json.dumps({"workflowId": "run-0", "wake": True}))
    deployment.http("GET", "/runs/run-0", status=200)


def fail_and_be_retried(deployment: Deployment) -> None:
    """A run that fails, goes on with other data, and fails again."""
    deployment.start("fails", "run-2")
    deployment.deliver(deployment.continuation("run-2"))
    deployment.http("POST", "/runs/run-2/retry", {"data": {"a": 1}})
    deployment.deliver(deployment.continuation("run-2"))


def expire(deployment: Deployment) -> None:
    """Runs that end by a signal and are removed when their time has come: by the dispatcher, or by a dead letter."""
    for run in ("run-3", "run-4"):
        deployment.start("waits", run, noise(500_000))
        deployment.deliver(deployment.continuation(run))
        deployment.signal(run)
    deployment.sweep(after_ms=10 * MINUTE_MS)
    deployment.sweep(after_ms=2 * DAY_MS)
    deployment.deliver(deployment.continuation("run-3"))
    deployment.deliver_dead(deployment.continuation("run-4"))
    for run in ("run-3", "run-4"):
        deployment.http("GET", f"/runs/{run}", status=404)


def be_lost(deployment: Deployment) -> None:
    """A run whose message was lost, one whose message was given up, and messages that are none."""
    deployment.start("journey", "run-5")
    for _ in range(3):
        deployment.sweep(after_ms=10 * MINUTE_MS)
    deployment.deliver_dead(deployment.continuation("run-5"))
    deployment.deliver_dead("nonsense")
    deployment.deliver("nonsense")


def be_started_by_events(deployment: Deployment) -> None:
    """An event of a size that is kept beside the head, the same again, and one that can start nothing."""
    assert deployment.publish("event-1", {"noise": noise(500_000)})["started"]
    assert deployment.publish("event-1", {"noise": noise(500_000)})["repeated"]
    assert deployment.publish("event-2", "no object")["parked"]


def be_defined(deployment: Deployment) -> None:
    """A definition that is put, and put anew, looked at and started; and what the service says of itself."""
    for text in ("once", "twice"):
        definition = {"nodes": [{"id": "say", "type": "core:set", "data": {"text": text}}]}
        deployment.http("PUT", "/workflows/said", definition, status=201 if text == "once" else 200)
    for target in ("/workflows", "/workflows/said", "/workflows/counts", "/node-types", "/openapi.json"):
        deployment.http("GET", target, status=200)
    deployment.start("said", "run-6")
    deployment.deliver(deployment.continuation("run-6"))


def be_a_tenants(deployment: Deployment) -> None:
    """A run that its tenant alone is shown, among the tenant's; its messages are of the tenant's group."""
    deployment.http("POST", "/workflows/waits/runs", {"workflowId": "run-7"}, tenant="org-1")
    deployment.deliver(deployment.continuation("run-7"))
    for tenant, runs in (("org-1", 1), ("org-2", 0)):
        assert len(deployment.http("GET", "/runs?workflow=waits", status=200, tenant=tenant)["runs"]) == runs
        deployment.http("GET", "/runs/run-7", status=200 if runs else 404, tenant=tenant)
    deployment.http("POST", "/runs/run-7/cancel", tenant="org-1")


def test_every_call_of_the_api_is_among_them(lived: Deployment) -> None:
    """A call that is added is listened to as well."""
    assert {(route.method, route.template) for route in ROUTES} == {
        (route.method, route.template) for route in lived.routes
    }


@pytest.mark.parametrize(
    ("function", "grants"),
    [
        ("front door", FRONT_DOOR),
        ("dispatcher", DISPATCHER),
        ("sweep", SWEEP),
        ("dead letters", DEAD_LETTERS),
        ("events", EVENTS),
    ],
)
def test_a_function_is_granted_what_it_calls(lived: Deployment, function: str, grants: Grants) -> None:
    """All of it, and no more."""
    granted = {(resource, action) for resource, actions in grants.items() for action in actions}
    assert lived.heard[function] == granted
