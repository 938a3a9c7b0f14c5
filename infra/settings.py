"""The stack's settings: what may be chosen at synth, within which bounds, and why those.

They are CDK context with the prefix ``refluxo:``, in cdk.json or as ``-c refluxo:stage=prod``; docs/settings.md is
written from them. Nothing here imports the CDK. Choices that are resources, such as a VPC or a key, are no text:
those are arguments of `infra.dispatcher.RefluxoDispatcher`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.package import DEFAULT_PYTHON_VERSION, PythonVersion
from infra.setting_lists import (
    LOG_RETENTION_DAYS,
    PLUGINS,
    is_log_retention,
    networks,
    origins,
    parts,
    plugin_names,
    words,
)

CONTEXT_PREFIX: Final = "refluxo:"

PRODUCTION: Final = "prod"

DISPATCHER_TIMEOUT_SECONDS_MIN: Final = 15
"""A delivery may go on for ten seconds removing an expired run (dispatcher.limits), and is to say so when it ends."""

DISPATCHER_TIMEOUT_SECONDS_MAX: Final = 40
"""Seven of them, six hidden and one at work, stay below the sweep's grace of five minutes (dispatcher.limits):
a message that is only hidden must not count as lost."""

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

Authorizer = Literal["iam", "jwt", "open-to-the-internet"]

MemoryMb = Annotated[
    int,
    Field(ge=256, le=10_240, description="megabytes from 256 to 10240; CPU grows with it"),
]


class InvalidSettings(ValueError):
    """The CDK context holds settings that cannot be used; the message lists every one with its remedy."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("The stack's settings are not valid:\n" + "\n".join(f"  {fault}" for fault in faults))


class StackSettings(BaseModel):
    """One installation's choices. Each field's description completes the sentence "give it ..."."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # --- Stage and data ------------------------------------------------------------------------------------

    stage: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9-]{0,31}$",
            description="a name of at most 32 lower-case letters, digits and hyphens that begins with a letter; "
            f"`{PRODUCTION}` switches on deletion protection and keeps data when the stack goes",
        ),
    ] = "dev"

    retention_days: Annotated[
        int,
        Field(
            ge=0,
            le=3650,
            description="a whole number from 0 to 3650: the days a finished run is kept, after which nobody can show, "
            "retry or fork it; 0 keeps every run for ever",
        ),
    ] = 0

    point_in_time_recovery: Annotated[
        bool,
        Field(
            description="`true`, or `false` to do without the table's continuous backups of the last 35 days, which "
            "are billed by its size"
        ),
    ] = True

    upload_bucket: Annotated[
        bool,
        Field(
            description="`true` for a bucket whose uploads are events that routes can match and whose objects nodes "
            "can read, or `false`"
        ),
    ] = False

    # --- HTTP ----------------------------------------------------------------------------------------------

    api_authorizer: Annotated[
        Authorizer,
        Field(
            description="`iam` for requests signed with AWS credentials, `jwt` for bearer tokens of an issuer, or "
            "`open-to-the-internet` to let anyone start and read runs"
        ),
    ] = "iam"

    jwt_issuer: Annotated[
        str,
        Field(
            pattern=r"^(https://\S+)?$",
            description="the `https://` address of the issuer of tokens, as in their claim `iss`; with "
            "`api_authorizer` `jwt` only",
        ),
    ] = ""

    jwt_audience: Annotated[
        str,
        AfterValidator(words),
        Field(
            description="the audiences a token may be for, separated by commas; with `api_authorizer` `jwt` only",
        ),
    ] = ""

    tenant_claim: Annotated[
        str,
        Field(
            pattern=r"^\S*$",
            description="the claim of a token that names the caller's tenant, whose runs alone the caller then "
            "sees; with `api_authorizer` `jwt` only",
        ),
    ] = ""

    api_rate_per_second: Annotated[
        int,
        Field(ge=1, le=10_000, description="requests a second from 1 to 10000, API Gateway's account default"),
    ] = 100

    api_burst: Annotated[
        int,
        Field(ge=1, le=5_000, description="requests at once from 1 to 5000, API Gateway's account default"),
    ] = 200

    cors_origins: Annotated[
        str,
        AfterValidator(origins),
        Field(
            description="the origins whose pages may call the API, such as `https://app.example.com`, separated by "
            "commas, or `*` for all"
        ),
    ] = ""

    domain_name: Annotated[
        str,
        Field(
            pattern=r"^([a-z0-9-]+(\.[a-z0-9-]+)+)?$",
            description="the API's own domain name in lower case; it needs `certificate_arn`",
        ),
    ] = ""

    certificate_arn: Annotated[
        str,
        Field(
            pattern=r"^(arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/\S+)?$",
            description="the ARN of a certificate for `domain_name`, issued in the stack's region by AWS Certificate "
            "Manager",
        ),
    ] = ""

    hosted_zone_id: Annotated[
        str,
        Field(
            pattern=r"^(Z[A-Z0-9]+)?$",
            description="the id of the Route 53 zone that is to point `domain_name` at the API; without it that "
            "record is yours to make",
        ),
    ] = ""

    # --- Running ---------------------------------------------------------------------------------------------

    steps_per_invocation: Annotated[
        int,
        Field(ge=1, le=1000, description="a whole number from 1 to 1000: steps committed before the next message"),
    ] = 1

    batch_size: Annotated[
        int,
        Field(ge=1, le=10, description="a whole number from 1 to 10: messages one invocation is given at most"),
    ] = 1

    max_concurrency: Annotated[
        int,
        Field(
            ge=2,
            le=1000,
            description="a whole number from 2 to 1000, Lambda's bounds for an SQS source: dispatchers at work at once",
        ),
    ] = 50

    run_steps_max: Annotated[
        int,
        Field(
            ge=1,
            le=100_000_000,
            description="a whole number from 1 to 100000000: the steps after which a run fails, the last guard "
            "against a workflow that loops for ever",
        ),
    ] = 1_000_000

    http_allowed_networks: Annotated[
        str,
        AfterValidator(networks),
        Field(
            description="the private networks that `core:http` may reach all the same, such as `10.1.0.0/16`, "
            "separated by commas"
        ),
    ] = ""

    # --- Functions -------------------------------------------------------------------------------------------

    python_version: Annotated[
        PythonVersion,
        Field(description="3.12, 3.13 or 3.14, and build the package for it: `python -m infra.package --python`"),
    ] = DEFAULT_PYTHON_VERSION

    snap_start: Annotated[
        bool,
        Field(
            description="`true` to start functions from a snapshot of their memory, which is quicker and is billed "
            "for being kept and for each start, or `false`"
        ),
    ] = False

    tracing: Annotated[bool, Field(description="`true` for traces in X-Ray, or `false`")] = True

    plugins: Annotated[
        str,
        AfterValidator(plugin_names),
        Field(
            description=f"a choice of {', '.join(f'`{name}`' for name in PLUGINS)}, separated by commas, or nothing; "
            "without `metrics` the dashboard and the alarms know of no run"
        ),
    ] = "metrics"

    log_level: Annotated[LogLevel, Field(description="`DEBUG`, `INFO`, `WARNING` or `ERROR`")] = "INFO"

    log_retention_days: Annotated[
        int,
        AfterValidator(is_log_retention),
        Field(description=f"a number of days that CloudWatch Logs takes: one of {LOG_RETENTION_DAYS}"),
    ] = 30

    dispatcher_memory_mb: MemoryMb = 512
    front_door_memory_mb: MemoryMb = 512
    sweep_memory_mb: MemoryMb = 512
    dead_letters_memory_mb: MemoryMb = 512
    events_memory_mb: MemoryMb = 512

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

    dead_letters_timeout_seconds: Annotated[
        int,
        Field(ge=15, le=60, description="seconds from 15 to 60; its queue hides a message six times as long"),
    ] = 30

    events_timeout_seconds: Annotated[
        int,
        Field(ge=5, le=60, description="seconds from 5 to 60; starting a run takes milliseconds"),
    ] = 30

    # --- Watching --------------------------------------------------------------------------------------------

    dashboard: Annotated[bool, Field(description="`true`, or `false` to save what a dashboard costs a month")] = True

    alarms: Annotated[bool, Field(description="`true`, or `false` to save what the alarms cost a month")] = True

    alarm_email: Annotated[
        str,
        Field(
            pattern=r"^([^@\s]+@[^@\s]+\.[^@\s]+)?$",
            description="the address that alarms are sent to, whose owner confirms by a link in a first mail",
        ),
    ] = ""

    alarm_queue_age_seconds: Annotated[
        int,
        Field(
            ge=960,
            le=345_600,
            description="seconds from 960, above SQS's longest delay, to 345600, as long as the queue keeps a "
            "message: the age of its oldest one",
        ),
    ] = 1_800

    alarm_function_errors: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="a whole number from 1: failed invocations in five minutes"),
    ] = 10

    alarm_function_throttles: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="a whole number from 1: refused invocations in five minutes"),
    ] = 10

    alarm_runs_failed: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="a whole number from 1: runs that failed in five minutes"),
    ] = 10

    alarm_runs_overdue: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="a whole number from 1: runs found overdue, for a quarter of an hour"),
    ] = 1

    alarm_invocations_per_step: Annotated[
        int,
        Field(
            ge=2,
            le=1_000,
            description="a whole number from 2 to 1000: invocations of the dispatcher for each step it commits, the "
            "sign of messages that go round and do nothing",
        ),
    ] = 5

    alarm_dollars_per_day: Annotated[
        float,
        Field(
            gt=0,
            le=1_000_000,
            description="US dollars above 0: what a day would cost if it went on as in the last hour, estimated",
        ),
    ] = 25.0

    @property
    def is_production(self) -> bool:
        """Whether data outlives mistakes: deletion protection on, stateful resources retained."""
        return self.stage == PRODUCTION

    @property
    def service_name(self) -> str:
        """What logs, metrics and the API are called."""
        return f"refluxo-{self.stage}"

    @property
    def counts_runs(self) -> bool:
        """Whether the functions write metrics of runs and steps, for alarms and dashboard to read."""
        return "metrics" in parts(self.plugins)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        faults = tuple(f"{CONTEXT_PREFIX}{fault}" for fault in _contradictions(self))
        if faults:
            raise InvalidSettings(faults)
        return self

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
            for fault in error.errors():
                contradiction = fault.get("ctx", {}).get("error")
                if isinstance(contradiction, InvalidSettings):
                    raise contradiction from None
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


def _contradictions(settings: StackSettings) -> Iterator[str]:
    """Settings that are each good and cannot be had together."""
    is_jwt = settings.api_authorizer == "jwt"
    if is_jwt and not settings.jwt_issuer:
        yield "jwt_issuer is missing: api_authorizer is 'jwt', so say whose tokens are taken"
    if is_jwt and not settings.jwt_audience:
        yield "jwt_audience is missing: api_authorizer is 'jwt', so say whom a token must be for"
    for name in ("jwt_issuer", "jwt_audience", "tenant_claim"):
        if not is_jwt and getattr(settings, name):
            yield f"{name} has no effect: api_authorizer is {settings.api_authorizer!r}; make that 'jwt', or remove it"
    if "tracer" in parts(settings.plugins) and not settings.tracing:
        yield "plugins has 'tracer', which has no effect: set tracing to true, or leave it out"
    if settings.domain_name and not settings.certificate_arn:
        yield "certificate_arn is missing: domain_name is set, and API Gateway serves no name without a certificate"
    for name in ("certificate_arn", "hosted_zone_id"):
        if getattr(settings, name) and not settings.domain_name:
            yield f"{name} has no effect: set domain_name, or remove {name}"
