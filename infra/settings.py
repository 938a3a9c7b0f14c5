"""The stack's settings: what may be chosen at synth, within which bounds, and why those.

They are CDK context with the prefix ``refluxo:``, in cdk.json or as ``-c refluxo:stage=prod``. Nothing here
imports the CDK.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from infra.package import DEFAULT_PYTHON_VERSION, PythonVersion

CONTEXT_PREFIX: Final = "refluxo:"

PRODUCTION: Final = "prod"

DISPATCHER_TIMEOUT_SECONDS_MIN: Final = 15
"""A delivery may go on for ten seconds removing an expired run (dispatcher.limits), and is to say so when it ends."""

DISPATCHER_TIMEOUT_SECONDS_MAX: Final = 40
"""Seven of them, six hidden and one at work, stay below the sweep's grace of five minutes (dispatcher.limits):
a message that is only hidden must not count as lost."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

LOG_RETENTION_DAYS: Final = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365)
"""What CloudWatch Logs takes (PutRetentionPolicy), up to a year."""


def _is_log_retention(days: int) -> int:
    if days not in LOG_RETENTION_DAYS:
        raise ValueError("not a number of days that CloudWatch Logs takes")
    return days


class InvalidSettings(ValueError):
    """The CDK context holds settings that cannot be used; the message lists every one with its remedy."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("The stack's settings are not valid:\n" + "\n".join(f"  {fault}" for fault in faults))


class StackSettings(BaseModel):
    """One installation's choices. Each field's description completes the sentence "give it ..."."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9-]{0,31}$",
            description="a name of at most 32 lower-case letters, digits and hyphens that begins with a letter; "
            f"{PRODUCTION!r} switches on deletion protection and keeps data when the stack goes",
        ),
    ] = "dev"

    log_level: Annotated[LogLevel, Field(description="DEBUG, INFO, WARNING or ERROR")] = "INFO"

    log_retention_days: Annotated[
        int,
        AfterValidator(_is_log_retention),
        Field(description=f"a number of days that CloudWatch Logs takes: one of {LOG_RETENTION_DAYS}"),
    ] = 30

    batch_size: Annotated[
        int,
        Field(ge=1, le=10, description="a whole number from 1 to 10: messages one invocation is given at most"),
    ] = 1

    steps_per_invocation: Annotated[
        int,
        Field(ge=1, le=1000, description="a whole number from 1 to 1000: steps committed before the next message"),
    ] = 1

    run_steps_max: Annotated[
        int,
        Field(
            ge=1,
            le=100_000_000,
            description="a whole number from 1 to 100000000: the steps after which a run fails, the last guard "
            "against a workflow that loops for ever",
        ),
    ] = 1_000_000

    retention_days: Annotated[
        int,
        Field(
            ge=0,
            le=3650,
            description="a whole number from 0 to 3650: the days a finished run is kept, after which nobody can show, "
            "retry or fork it; 0 keeps every run for ever",
        ),
    ] = 0

    max_concurrency: Annotated[
        int,
        Field(
            ge=2,
            le=1000,
            description="a whole number from 2 to 1000, Lambda's bounds for an SQS source",
        ),
    ] = 50

    memory_mb: Annotated[
        int,
        Field(ge=256, le=10_240, description="megabytes from 256 to 10240 for each function; CPU grows with it"),
    ] = 512

    dispatcher_timeout_seconds: Annotated[
        int,
        Field(
            ge=DISPATCHER_TIMEOUT_SECONDS_MIN,
            le=DISPATCHER_TIMEOUT_SECONDS_MAX,
            description=f"seconds from {DISPATCHER_TIMEOUT_SECONDS_MIN} to {DISPATCHER_TIMEOUT_SECONDS_MAX}: the queue "
            "hides a message six times as long, which is how late a crashed step is tried again; a longer node is a "
            "wait with a callback",
        ),
    ] = 30

    api_authorizer: Annotated[
        Literal["iam", "none"],
        Field(description="'iam', or 'none' to let anyone on the internet start and read runs"),
    ] = "iam"

    api_rate_per_second: Annotated[
        int,
        Field(ge=1, le=10_000, description="requests a second from 1 to 10000, API Gateway's account default"),
    ] = 100

    api_burst: Annotated[
        int,
        Field(ge=1, le=5_000, description="requests at once from 1 to 5000, API Gateway's account default"),
    ] = 200

    python_version: Annotated[
        PythonVersion,
        Field(description="3.12, 3.13 or 3.14, and build the package for it: python -m infra.package --python"),
    ] = DEFAULT_PYTHON_VERSION

    @property
    def is_production(self) -> bool:
        """Whether data outlives mistakes: deletion protection on, stateful resources retained."""
        return self.stage == PRODUCTION

    @classmethod
    def from_context(cls, context: Mapping[str, object]) -> Self:
        """Read every ``refluxo:`` key; other keys are the CDK's own.

        Raises:
            InvalidSettings: naming each bad or unknown key, and what to give instead.
        """
        given = {
            key.removeprefix(CONTEXT_PREFIX): value for key, value in context.items() if key.startswith(CONTEXT_PREFIX)
        }
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            names = [str(fault["loc"][0]) for fault in error.errors()]
            raise InvalidSettings(tuple(cls._fault(name, given[name]) for name in names)) from None

    @classmethod
    def _fault(cls, name: str, value: object) -> str:
        field = cls.model_fields.get(name)
        if field is not None:
            return f"{CONTEXT_PREFIX}{name} is {value!r}: give it {field.description}"
        near = difflib.get_close_matches(name, cls.model_fields, n=1)
        remedy = f"did you mean {CONTEXT_PREFIX}{near[0]}?" if near else "remove it"
        return f"{CONTEXT_PREFIX}{name} is no setting: {remedy}"
