"""The deployed shape at work: the loop over the resources, names and settings that the template itself makes."""

from __future__ import annotations

import importlib
import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from botocore.model import OperationModel
from moto import mock_aws

from dispatcher import bootstrap
from local.poller import FunctionContext
from tests.dispatcher.virtual_time import DAY, MINUTE, VirtualTime, virtual_time
from tests.infra.deployed_shape import (
    STAND_INS,
    Account,
    DeployedFunction,
    deploy,
    lacking,
    reduced,
    references,
    synthesized,
)
from tests.infra.lambda_platform import InvocationFailed, Platform
from tests.infra.permissions import Ask, Role, asked
from workflows import registry

DISPATCHER: Final = "dispatcher.queue_handler.handler"
DEAD_LETTERS: Final = "dispatcher.dead_letter_handler.handler"

RECEIVES_MAX: Final = 5
"""Of the template, where another test asserts it."""

BATCH_SIZE: Final = 5


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The process's environment is this and nothing else, for a while."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class InThisProcess:
    """Invokes handlers by their names, each time as a cold start over the function's own environment.

    ``down`` has the handlers that fail for now, ``refused`` the calls of AWS that a function's role does not allow,
    ``asked`` how many it does.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._roles: dict[str, Role] = {}
        self._function: DeployedFunction | None = None
        self.down: set[str] = set()
        self.refused: set[tuple[str, Ask]] = set()
        self.asked: Counter[str] = Counter()
        with environment(account.environment):
            session = boto3.session.Session()
        session.events.register("before-parameter-build", self._judge)
        # That of the functions' own clients: the tests' have another.
        boto3.DEFAULT_SESSION = session

    def __call__(self, function: DeployedFunction, event: Mapping[str, object]) -> Any:
        """See Invoke."""
        if function.handler in self.down:
            raise InvocationFailed(function.handler)
        module, _, name = function.handler.rpartition(".")
        bootstrap.app.cache_clear()
        self._function = function
        with environment({**self._account.environment, **function.environment}):
            return getattr(importlib.import_module(module), name)(event, FunctionContext(function.name))

    def _judge(self, params: Mapping[str, Any], model: OperationModel, **_: object) -> None:
        assert self._function is not None
        if self._function.role not in self._roles:
            self._roles[self._function.role] = Role.read_back(self._account.iam, self._function.role)
        for ask in asked(model.service_model.service_name, model.name, params):
            self.asked[self._function.handler] += 1
            if not self._roles[self._function.role].allows(ask):
                self.refused.add((self._function.handler, ask))


@pytest.fixture(scope="module")
def time() -> Iterator[VirtualTime]:
    """Virtual time."""
    with virtual_time() as time:
        yield time


@pytest.fixture(scope="module")
def platform(time: VirtualTime, tmp_path_factory: pytest.TempPathFactory, asset_path: Path) -> Iterator[Platform]:
    """The stack as app.py makes it, with batches; one for all tests here, each of which has runs of its own."""
    template = synthesized(tmp_path_factory.mktemp("cdk.out"), asset_path, batch_size=BATCH_SIZE, max_concurrency=2)
    with mock_aws():
        account = Account()
        deployment = deploy(template, account, package=_an_archive())
        yield Platform(deployment, account, InThisProcess(account), lambda: time.now_ms)
    bootstrap.app.cache_clear()
    boto3.DEFAULT_SESSION = None


@pytest.fixture(autouse=True)
def invoked(request: pytest.FixtureRequest) -> Iterator[InThisProcess | None]:
    """How functions are invoked: what the test before has delivered does not count, and no role was overstepped."""
    if "platform" not in request.fixturenames:
        yield None
        return
    platform: Platform = request.getfixturevalue("platform")
    platform.batches.clear()
    invoke = platform.invoke
    assert isinstance(invoke, InThisProcess)
    yield invoke
    assert invoke.refused == set()


def _an_archive() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("module.py", "")
    return archive.getvalue()


def start(platform: Platform, run: str, **given: object) -> None:
    """Starts a run of the example."""
    body = {"workflowId": run, "input": {"title": "T", "text": "quiet words", **given}}
    answer = platform.http("POST", "/workflows/content-approval/runs", body)
    assert answer.status == 202, answer.body


def decide(platform: Platform, run: str) -> None:
    """Approves, by the link of the wait."""
    wait = platform.http("GET", f"/runs/{run}").body["wait"]
    public_url = platform.deployment.outputs["ApiUrl"]
    assert wait["callbackUrl"].startswith(f"{public_url}/webhooks/")
    path = wait["callbackUrl"].removeprefix(public_url)
    assert platform.http("POST", path, {"approved": True, "editor": "Ada"}).status in {200, 202}


def status(platform: Platform, run: str) -> str:
    """A run's status."""
    return str(platform.http("GET", f"/runs/{run}").body["status"])


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_what_is_left_out_is_what_moto_lacks(stage: str, tmp_path: Path, asset_path: Path) -> None:
    """No type more and no type less; and each stand-in is for a reference that the template has."""
    template = synthesized(tmp_path, asset_path, stage=stage)
    assert lacking(template) == set(STAND_INS)
    kept = {name: r for name, r in template["Resources"].items() if r["Type"] not in STAND_INS}
    used = {
        (template["Resources"][name]["Type"], attribute)
        for name, attribute in references([kept, template["Outputs"]])
        if name in template["Resources"] and name not in kept
    }
    assert used == {(kind, attribute) for kind, attributes in STAND_INS.items() for attribute in attributes}


def test_a_reference_without_a_stand_in_is_named() -> None:
    """Not left for moto to stumble over."""
    template = {
        "Resources": {
            "Api": {"Type": "AWS::ApiGatewayV2::Api"},
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"X": {"Fn::GetAtt": ["Api", "Nothing"]}}},
        }
    }
    with pytest.raises(KeyError, match=r"AWS::ApiGatewayV2::Api is left out, and Nothing of it is used"):
        reduced(template, {})


def test_a_run_goes_from_its_start_to_its_end(platform: Platform, time: VirtualTime) -> None:
    """Start, a step, a delayed retry, a webhook, the result; then both listings find it, and its history is whole."""
    start(platform, "run-through", outages=1)
    platform.deliver_all()
    assert status(platform, "run-through") == "error"
    time.pass_by(2 * 1000 + 1)
    platform.deliver_all()
    assert status(platform, "run-through") == "paused"
    decide(platform, "run-through")
    platform.deliver_all()
    shown = platform.http("GET", "/runs/run-through").body
    assert (shown["status"], shown["output"]["approved_by"]) == ("completed", "Ada")
    for query in ("status=completed", "workflow=content-approval"):
        listed = platform.http("GET", f"/runs?{query}").body["runs"]
        assert "run-through" in [run["workflowId"] for run in listed]
    assert platform.http("GET", "/health").status == 200


def test_a_large_value_goes_through_the_stacks_own_bucket(platform: Platform) -> None:
    """The bucket that the environment names is the one that was made, and the run reads what it put there."""
    noise = "".join(f"{number:x} " for number in range(250_000))
    start(platform, "run-large", text=noise)
    platform.deliver_all()
    assert status(platform, "run-large") == "paused"
    bucket = platform.deployment.outputs["PayloadBucketName"]
    assert platform.account.s3.list_objects_v2(Bucket=bucket)["KeyCount"] > 0


def test_messages_that_are_lost_are_made_up_for_by_the_schedule(platform: Platform, time: VirtualTime) -> None:
    """The rule's target is the sweep, and what it finds due it sends to the dispatcher's own queue."""
    start(platform, "run-lost")
    (steps,) = [source for source in platform.deployment.sources if source.function.handler == DISPATCHER]
    platform.account.sqs.purge_queue(QueueUrl=steps.queue_url)
    for _ in range(10):
        time.pass_by(MINUTE)
        platform.tick()
        platform.deliver_all()
    assert status(platform, "run-lost") == "paused"


def test_a_wait_ends_by_its_timeout_after_a_day(platform: Platform, time: VirtualTime) -> None:
    """A timer beyond any queue's delay: the sweep's index finds it."""
    start(platform, "run-late")
    platform.deliver_all()
    time.pass_by(DAY + MINUTE)
    for _ in range(5):
        platform.tick()
        platform.deliver_all()
        time.pass_by(MINUTE)
    assert status(platform, "run-late") == "completed"
    assert platform.http("GET", "/runs/run-late").body["output"]["reason"] == "nobody decided"


def test_after_an_outage_the_dead_letters_bring_their_runs_back(platform: Platform, time: VirtualTime) -> None:
    """Five failed invocations, and SQS hands the message to the next function, which sends it on."""
    invoke = platform.invoke
    assert isinstance(invoke, InThisProcess)
    start(platform, "run-outage")
    invoke.down = {DISPATCHER}
    for _ in range(RECEIVES_MAX + 1):
        platform.deliver()
        time.pass_by(4 * MINUTE)
    assert platform.batches[DISPATCHER].total() == RECEIVES_MAX
    invoke.down = set()
    platform.deliver_all()
    time.pass_by(15 * MINUTE)
    platform.deliver_all()
    assert platform.batches[DEAD_LETTERS].total() == 1
    assert status(platform, "run-outage") == "paused"


def test_a_message_nobody_can_read_is_parked_where_the_output_says(platform: Platform) -> None:
    """The rest of its batch is not held up."""
    parked = platform.deployment.outputs["ParkedQueueUrl"]
    before = platform.queued(parked)
    (steps,) = [source for source in platform.deployment.sources if source.function.handler == DISPATCHER]
    platform.account.sqs.send_message(QueueUrl=steps.queue_url, MessageBody="{}")
    start(platform, "run-beside")
    platform.deliver_all()
    assert platform.queued(parked) == before + 1
    assert status(platform, "run-beside") == "paused"


def test_batches_are_as_the_event_source_declares(platform: Platform) -> None:
    """No larger than was set, no more at once than was set, and all of their runs go on."""
    runs = [f"run-in-batch-{number}" for number in range(12)]
    for run in runs:
        start(platform, run)
    assert platform.deliver() == 2 * BATCH_SIZE
    assert platform.batches[DISPATCHER] == {BATCH_SIZE: 2}
    platform.deliver_all()
    assert {status(platform, run) for run in runs} == {"paused"}


def test_an_event_of_a_route_starts_its_run_once(platform: Platform) -> None:
    """The rule that the route became lets it through to the function, which finds the route; a repeat adds none."""
    event = json.loads(Path("events/eventbridge-s3-object-created.json").read_text(encoding="utf-8"))
    pattern: Any = registry.routes[0].pattern
    event["detail"]["bucket"]["name"] = pattern["detail"]["bucket"]["name"][0]
    (first,), (repeat,) = platform.publish(event), platform.publish(event)
    assert (len(first["started"]), first["parked"]) == (1, [])
    assert repeat["repeated"] == first["started"]
    assert platform.publish({**event, "source": "aws.else"}) == []


def test_a_call_is_judged_by_the_role_of_the_function_that_makes_it(platform: Platform, invoked: InThisProcess) -> None:
    """Every call in this file is: on the resource's own ARN, by the policies that the template gave that role."""
    start(platform, "run-judged")
    platform.deliver_all()
    platform.tick()
    assert {DISPATCHER, platform.deployment.front_door.handler} < set(invoked.asked)
    role = Role.read_back(platform.account.iam, platform.deployment.functions[DISPATCHER].role)
    names = platform.deployment.functions[DISPATCHER].environment
    objects = {"Bucket": names["PAYLOAD_BUCKET"], "Key": "runs/run-judged/0"}
    allowed = asked("s3", "GetObject", objects) | asked("sqs", "SendMessage", {"QueueUrl": names["QUEUE_URL"]})
    refused = (
        asked("s3", "GetObject", {**objects, "Key": "other/run-judged/0"})
        | asked("s3", "GetObject", {**objects, "Bucket": "another"})
        | asked("dynamodb", "Query", {"TableName": names["TABLE_NAME"], "IndexName": "due"})
        | asked("dynamodb", "Scan", {"TableName": names["TABLE_NAME"]})
    )
    assert all(role.allows(ask) for ask in allowed)
    assert not [ask for ask in refused if role.allows(ask)]
