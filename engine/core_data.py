"""Data of the core node types, as pydantic models: what their executors are given and editors ask for.

Times are milliseconds. A field that takes an expression takes whatever the expression gives.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from engine.definition import Name
from engine.limits import HTTP_TIMEOUT_MS_MAX
from engine.naming import camel_case
from engine.schema import faults_of_schema


def _truth(value: object) -> object:
    # Expressions are JavaScript's: an empty list is true, an empty text is not.
    return not (value is None or value is False or value == "" or (isinstance(value, int | float) and value == 0))


Truth = Annotated[bool, BeforeValidator(_truth)]


def _schema_document(value: dict[str, object]) -> dict[str, object]:
    # Found out here, and not when somebody answers and the run that waited fails.
    faults = faults_of_schema(value, "$")
    if faults:
        raise ValueError("; ".join(map(str, faults)))
    return value


class _Data(BaseModel):
    # Built when first used: a workflow uses few of them, and an import pays for all.
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=camel_case, validate_by_name=True, defer_build=True
    )


class IfData(_Data):
    """Data of ``core:if``."""

    when: Annotated[Truth, Field(description="true and false as in JavaScript")]


class SwitchData(_Data):
    """Data of ``core:switch``: the first case equal to ``value`` is the handle."""

    value: Annotated[object, Field(description="what is compared")]
    cases: Annotated[list[str | int | float | bool | None], Field(description="each is a handle of that name")]


class LoopData(_Data):
    """Data of ``core:loop``."""

    items: Annotated[list[object], Field(description="what is gone through, in order")]


class WhileData(_Data):
    """Data of ``core:while``."""

    when: Annotated[Truth, Field(description="asked before each round")]


class RepeatData(_Data):
    """Data of ``core:repeat``."""

    times: Annotated[int, Field(ge=0, description="number of rounds")]


class WaitData(_Data):
    """Data of ``core:wait``."""

    signal: Annotated[Name | None, Field(description="the signal's name; resume when left out")] = None
    timeout_ms: Annotated[int | None, Field(ge=0, description="then the run goes on by timeout")] = None
    heartbeat_ms: Annotated[int | None, Field(gt=0, description="longest silence of the other side")] = None
    payload_schema: Annotated[
        Annotated[dict[str, object], AfterValidator(_schema_document)] | None,
        Field(alias="schema", description="JSON Schema of the payload"),
    ] = None


class SleepData(_Data):
    """Data of ``core:sleep``: one of the two."""

    ms: Annotated[int | None, Field(ge=0, description="how long")] = None
    until: Annotated[int | None, Field(ge=0, description="until when, epoch milliseconds")] = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.ms is None) == (self.until is None):
            raise ValueError("give either ms or until")
        return self


def _as_text(value: object) -> str:
    # What an expression gives is told as it is: the author's own error must not fail of its words.
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class FailData(_Data):
    """Data of ``core:fail``."""

    error: Annotated[str, Field(min_length=1, description="the error's type, by which catch edges know it")]
    message: Annotated[str, BeforeValidator(_as_text)] = ""


def _web_url(value: str) -> str:
    if not value.lower().startswith(("http://", "https://")):
        # Not quoted: an expression may have put a secret there.
        raise ValueError("a URL begins with http:// or https://")
    return value


_Scalar: TypeAlias = str | int | float | bool | None


class HttpData(_Data):
    """Data of ``core:http``: one of ``json`` and ``body``, or neither."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    url: Annotated[str, AfterValidator(_web_url), Field(description="`http` or `https`, without user and password")]
    headers: Annotated[dict[str, str | None] | None, Field(description="null leaves one out")] = None
    query: Annotated[
        dict[str, _Scalar | list[_Scalar]] | None,
        Field(description="added to the URL's own; null leaves one out, a list repeats it"),
    ] = None
    json_body: Annotated[object, Field(alias="json", description="sent as JSON")] = None
    body: Annotated[str | None, Field(description="sent as it is, instead of `json`")] = None
    timeout_ms: Annotated[
        int | None, Field(gt=0, le=HTTP_TIMEOUT_MS_MAX, description="of the whole call; 10,000 when left out")
    ] = None

    @property
    def sends_json(self) -> bool:
        """Whether there is JSON to send: ``null`` is, when it is written."""
        return "json_body" in self.model_fields_set

    @model_validator(mode="after")
    def _at_most_one_body(self) -> Self:
        if self.sends_json and self.body is not None:
            raise ValueError("give json or body, not both")
        return self


class JoinData(_Data):
    """When a fan-out is done."""

    rule: Literal["all", "first", "atLeast"] = "all"
    count: Annotated[int | None, Field(gt=0, description="for atLeast")] = None
    tolerated_failures: Annotated[int | None, Field(ge=0)] = None
    tolerated_failure_percent: Annotated[float | None, Field(ge=0, le=100)] = None

    @model_validator(mode="after")
    def _count_for_at_least(self) -> Self:
        if (self.rule == "atLeast") != (self.count is not None):
            raise ValueError("count goes with the rule atLeast, and atLeast with a count")
        return self


class ParallelData(_Data):
    """Data of ``core:parallel``: workflows by branch name; each a name, ``name@version`` or a definition."""

    branches: Annotated[dict[str, str | dict[str, object]], Field(min_length=1)]
    input: object = None
    join: JoinData | None = None
    max_concurrency: Annotated[int | None, Field(gt=0)] = None


class MapData(_Data):
    """Data of ``core:map``: one run of the workflow for each item."""

    items: list[object]
    workflow: str | dict[str, object]
    join: JoinData | None = None
    max_concurrency: Annotated[int | None, Field(gt=0)] = None


class WorkflowData(_Data):
    """Data of ``core:workflow``: a child run; ``detached`` does not wait for it."""

    workflow: str | dict[str, object]
    input: object = None
    detached: bool = False


class SignalData(_Data):
    """Data of ``core:signal``: a signal for another run."""

    workflow_id: Annotated[str, Field(min_length=1)]
    signal: Name
    payload: object = None
