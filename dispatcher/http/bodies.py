"""What the calls take as their bodies: one model each, from which the OpenAPI document is made as well."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from dispatcher.http.problems import RequestFault
from dispatcher.http.request import Request
from dispatcher.limits import REASON_CHARACTERS_MAX, TAGS_MAX
from engine.definition import faults_of
from engine.errors import Fault
from engine.naming import NAME_PATTERN, camel_case, valid_name

NAME_RULE: Final = "1 to 128 letters, digits or _.:@- that begin with a letter, a digit or _"


def _named(value: str) -> str:
    if not valid_name(value):
        raise ValueError(f"must be {NAME_RULE}")
    return value


NameText: TypeAlias = Annotated[
    str, AfterValidator(_named), WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"})
]


class _Body(BaseModel):
    model_config = ConfigDict(
        extra="forbid", alias_generator=camel_case, validate_by_name=False, validate_by_alias=True, defer_build=True
    )


class StartBody(_Body):
    """Starts a run. ``workflowId`` is the run's own id; a fresh one when it is left out."""

    input: object = None
    workflow_id: NameText | None = None
    tags: Annotated[dict[str, str], Field(max_length=TAGS_MAX)] | None = None
    tenant: NameText | None = None


class OperatorBody(_Body):
    """Why an operator calls; told in the run's history."""

    reason: Annotated[str, Field(max_length=REASON_CHARACTERS_MAX)] | None = None


class RetryBody(OperatorBody):
    """Retries a failed run: with other data for its failed node, or by another version of its definition."""

    data: dict[str, object] | None = None
    definition: str | None = None


class ForkBody(OperatorBody):
    """Starts a new run from a version of this one; ``workflowId`` is the new run's id."""

    version: Annotated[int, Field(ge=0, strict=True)] | None = None
    workflow_id: NameText | None = None


_NOT_TAKEN: Final = "the body is not what this call takes"

_Model = TypeVar("_Model", bound=_Body)


def body_of(request: Request, model: type[_Model]) -> _Model:
    """The body as a model; an empty one says nothing.

    Raises:
        RequestFault: with each bad field.
    """
    document = request.json()
    if not isinstance(document, dict | None):
        raise RequestFault(400, _NOT_TAKEN, (Fault("$", "must be a JSON object"),))
    try:
        return model.model_validate(document or {})
    except ValidationError as error:
        fields = [field.alias or name for name, field in model.model_fields.items()]
        unknown = {f"$.{name}" for name in document or {} if name not in fields}
        remedy = f"there is no such field; there are: {', '.join(fields)}"
        faults = (Fault(f.path, remedy) if f.path in unknown else f for f in faults_of(error))
        raise RequestFault(400, _NOT_TAKEN, faults) from None
