"""The template's environment and handlers against the shell that lives by them: the two must not drift."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from dispatcher.limits import (
    AWS_READ_TIMEOUT_SECONDS,
    PURGE_TIME_MAX_MS,
    RUN_STEPS_MAX_DEFAULT,
    SWEEP_GRACE_MS,
    SWEEP_TIME_MAX_MS,
    WAIT_SECONDS_MAX,
)
from dispatcher.settings import Settings
from infra.constructs.queues import VISIBILITY_TIMEOUTS
from infra.settings import DISPATCHER_TIMEOUT_SECONDS_MAX, DISPATCHER_TIMEOUT_SECONDS_MIN, StackSettings

if TYPE_CHECKING:
    from aws_cdk.assertions import Template

    from tests.infra.conftest import Synthesize


def deployed_environments(template: Template) -> list[dict[str, str]]:
    """Each function's variables, a reference standing for what CloudFormation would fill in."""
    return [
        {
            name: value if isinstance(value, str) else f"deployed-{name}"
            for name, value in function["Properties"]["Environment"]["Variables"].items()
        }
        for function in template.find_resources("AWS::Lambda::Function").values()
    ]


def test_the_functions_accept_the_environment_they_are_given(template: Template) -> None:
    """The dispatcher's own settings are built from it, every reference in its place."""
    for environment in deployed_environments(template):
        assert Settings.from_env(environment) == Settings(
            table_name="deployed-TABLE_NAME",
            queue_url="deployed-QUEUE_URL",
            parked_queue_url="deployed-PARKED_QUEUE_URL",
            payload_bucket="deployed-PAYLOAD_BUCKET",
            public_url="deployed-PUBLIC_URL",
            registry="workflows:registry",
            webhook_secret_id="deployed-WEBHOOK_SECRET_ID",
            steps_per_invocation=1,
            run_steps_max=RUN_STEPS_MAX_DEFAULT,
            retention_days=None,
            log_level="INFO",
            plugins=("metrics",),
        )


def test_every_choice_arrives(full: Template) -> None:
    """Lists as lists, on both sides the same; metrics are called after the stage."""
    for environment in deployed_environments(full):
        settings = Settings.from_env(environment)
        assert settings.public_url == "https://workflows.example.com"
        assert settings.cors_origins == ("https://app.example.com", "https://example.com")
        assert settings.tenant_claim == "org_id"
        assert [str(network) for network in settings.http_allowed_networks] == ["10.1.0.0/16"]
        assert settings.plugins == ("logger", "metrics")
        assert environment["POWERTOOLS_METRICS_NAMESPACE"] == "Refluxo"
        assert environment["POWERTOOLS_SERVICE_NAME"] == "refluxo-full"


def test_finished_runs_are_kept_as_long_as_set(synthesize: Synthesize) -> None:
    """For ever unless told otherwise, which is 0 on both sides."""
    environment, *_ = deployed_environments(synthesize(retention_days=30))
    assert Settings.from_env(environment).retention_days == 30


def test_every_handler_is_there(template: Template) -> None:
    """A handler string with a typo would be seen on Lambda, at the first event."""
    for function in template.find_resources("AWS::Lambda::Function").values():
        module, _, attribute = function["Properties"]["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize(
    "timeout_seconds", [StackSettings().dispatcher_timeout_seconds, DISPATCHER_TIMEOUT_SECONDS_MAX]
)
def test_a_hidden_message_is_not_taken_for_a_lost_one(timeout_seconds: int) -> None:
    """The sweep's grace is longer than visibility and a step's timeout together."""
    assert (VISIBILITY_TIMEOUTS + 1) * timeout_seconds * 1000 < SWEEP_GRACE_MS


@pytest.mark.parametrize(
    ("handler", "work_ms"),
    [
        ("dispatcher.http_handler.handler", PURGE_TIME_MAX_MS),
        ("dispatcher.queue_handler.handler", PURGE_TIME_MAX_MS),
        ("dispatcher.dead_letter_handler.handler", PURGE_TIME_MAX_MS),
        ("dispatcher.sweep_handler.handler", SWEEP_TIME_MAX_MS),
        ("dispatcher.event_handler.handler", AWS_READ_TIMEOUT_SECONDS * 1000),
    ],
)
def test_a_function_has_time_to_end_what_it_does_by_the_clock(
    synthesize: Synthesize, handler: str, work_ms: int
) -> None:
    """What goes on for a limited time ends well before the platform stops it, whatever is set."""
    template = synthesize(dispatcher_timeout_seconds=DISPATCHER_TIMEOUT_SECONDS_MIN)
    (timeout_seconds,) = (
        function["Properties"]["Timeout"]
        for function in template.find_resources("AWS::Lambda::Function").values()
        if function["Properties"]["Handler"] == handler
    )
    assert timeout_seconds * 1000 > 1.4 * work_ms


def test_a_caller_who_waits_is_answered_in_time(template: Template) -> None:
    """The longest ``?wait=`` ends before the function does."""
    (timeout_seconds,) = (
        function["Properties"]["Timeout"]
        for function in template.find_resources("AWS::Lambda::Function").values()
        if function["Properties"]["Handler"] == "dispatcher.http_handler.handler"
    )
    assert timeout_seconds > WAIT_SECONDS_MAX + 3
