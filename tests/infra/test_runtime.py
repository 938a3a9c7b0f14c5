"""The package runs: unpacked, under Lambda's own runtime client, each function by its handler in the template."""

from __future__ import annotations

import json
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.emulator import Emulator
from tests.infra.deployed_shape import Account, DeployedFunction, Deployment, deploy, synthesized
from tests.infra.host_package import unpacked_host_package
from tests.infra.lambda_platform import InvocationFailed, Platform
from tests.infra.runtime_api import FunctionProcess, lay_out_runtime


class InProcesses:
    """Invokes each function in its one execution environment, started when it is first asked for."""

    def __init__(self, folder: Path, account: Account, exits: ExitStack) -> None:
        self.package = unpacked_host_package(folder)
        self.runtime = lay_out_runtime(folder / "runtime")
        self.processes: dict[str, FunctionProcess] = {}
        self._folder = folder
        self._account = account
        self._exits = exits

    def __call__(self, function: DeployedFunction, event: Mapping[str, object]) -> Any:
        """See Invoke."""
        if function.handler not in self.processes:
            self.processes[function.handler] = self.start(function)
        return self.processes[function.handler].invoke(event)

    def start(self, function: DeployedFunction) -> FunctionProcess:
        """Another execution environment of a function."""
        return self._exits.enter_context(
            FunctionProcess(
                function,
                package=self.package,
                runtime=self.runtime,
                environment=self._account.environment,
                log=self._folder / f"{function.name}-{len(self.processes)}.log",
            )
        )


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, asset_path: Path) -> Iterator[Platform]:
    """The stack as app.py and cdk.json make it, in moto's server, its functions in processes of their own."""
    folder = tmp_path_factory.mktemp("lambda")
    with ExitStack() as exits:
        account = Account(exits.enter_context(Emulator()).url)
        template = synthesized(folder / "cdk.out", asset_path)
        deployment = deploy(template, account, package=b"PK\x05\x06" + bytes(18))
        invoke = InProcesses(folder, account, exits)
        yield Platform(deployment, account, invoke, lambda: time.time_ns() // 1_000_000)


@pytest.fixture(scope="module")
def processes(platform: Platform) -> InProcesses:
    """How the platform invokes."""
    assert isinstance(platform.invoke, InProcesses)
    return platform.invoke


def function_of(deployment: Deployment, module: str) -> DeployedFunction:
    """The function whose handler is in that module."""
    return deployment.functions[f"dispatcher.{module}.handler"]


def test_a_workflow_completes_through_the_package(platform: Platform) -> None:
    """Started and signalled by the front door, stepped by the dispatcher, each in a process of its own."""
    body = {"workflowId": "run-1", "input": {"title": "T", "text": "quiet words"}}
    assert platform.http("POST", "/workflows/content-approval/runs", body).status == 202
    platform.deliver_all()
    wait = platform.http("GET", "/runs/run-1").body["wait"]
    link = wait["callbackUrl"].removeprefix(platform.deployment.outputs["ApiUrl"])
    assert platform.http("POST", link, {"approved": True, "editor": "Ada"}).status in {200, 202}
    platform.deliver_all()
    shown = platform.http("GET", "/runs/run-1").body
    assert (shown["status"], shown["output"]["approved_by"]) == ("completed", "Ada")


def test_the_schedule_runs_the_sweep(platform: Platform) -> None:
    """Each target of a schedule answers with what it did."""
    (report,) = platform.tick()
    assert set(report) >= {"lookedAt", "sent"}


def test_a_dead_letter_is_looked_after(platform: Platform) -> None:
    """What nobody can read goes from the queue behind the dispatcher's to the one where people look."""
    parked = platform.deployment.outputs["ParkedQueueUrl"]
    function = function_of(platform.deployment, "dead_letter_handler")
    (source,) = [source for source in platform.deployment.sources if source.function == function]
    before = platform.queued(parked)
    platform.account.sqs.send_message(QueueUrl=source.queue_url, MessageBody="not json")
    platform.deliver_all()
    assert platform.queued(parked) == before + 1


def test_an_event_of_a_route_starts_its_run(platform: Platform) -> None:
    """By the rule that the route became."""
    event = json.loads(Path("events/eventbridge-s3-object-created.json").read_text(encoding="utf-8"))
    (rule,) = platform.deployment.rules
    pattern: Any = rule.pattern
    event["detail"]["bucket"]["name"] = pattern["detail"]["bucket"]["name"][0]
    (report,) = platform.publish(event)
    assert len(report["started"]) == 1


def test_every_function_of_the_template_has_been_run(platform: Platform, processes: InProcesses) -> None:
    """The tests above leave none out; each has loaded its entry point from the package's own bytecode."""
    for function in platform.deployment.functions.values():
        if function.handler not in processes.processes:
            processes.processes[function.handler] = processes.start(function)
            with pytest.raises(InvocationFailed):
                processes(function, {"no": "event"})
    tag = sys.implementation.cache_tag
    for handler, process in processes.processes.items():
        module = handler.split(".")[1]
        assert processes.package / "dispatcher" / "__pycache__" / f"{module}.{tag}.pyc" in process.loaded()


def test_nothing_of_the_checkout_is_loaded(platform: Platform, processes: InProcesses) -> None:
    """Every module comes from the package, the runtime client or the standard library; the package's are compiled."""
    platform.tick()
    standard = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    elsewhere = {processes.package, *(path.resolve() for path in processes.runtime.iterdir())}

    def is_lambdas(path: Path) -> bool:
        of_standard = any(path.is_relative_to(home) for home in standard) and "site-packages" not in path.parts
        return of_standard or any(path.is_relative_to(home) for home in elsewhere)

    for process in processes.processes.values():
        loaded = [path.resolve() for path in process.loaded()]
        assert len(loaded) > 100
        assert [path for path in loaded if not is_lambdas(path)] == []
        assert [path for path in loaded if path.is_relative_to(processes.package) and path.suffix == ".py"] == []


def test_an_environment_that_cannot_be_used_fails_each_event_by_name(
    platform: Platform, processes: InProcesses
) -> None:
    """The runtime is told of the error, and with it whoever reads the function's log."""
    sweep = function_of(platform.deployment, "sweep_handler")
    less = {name: value for name, value in sweep.environment.items() if name != "TABLE_NAME"}
    process = processes.start(replace(sweep, name="sweep-without-a-table", environment=less))
    for _ in range(2):
        with pytest.raises(InvocationFailed, match=r"InvalidSettings: (?s:.*)TABLE_NAME is missing"):
            process.invoke({})
