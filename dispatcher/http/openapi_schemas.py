"""What the calls answer, as JSON Schemas for the OpenAPI document, and the schemas of what they take.

Objects are closed: an answer with a field that is not written here fails the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dispatcher.http.bodies import ForkBody, OperatorBody, RetryBody, StartBody
from engine import Status, WorkflowDefinition
from engine.json_value import JsonObject, JsonValue, checked_copy

BODIES: Final[tuple[type[BaseModel], ...]] = (StartBody, OperatorBody, RetryBody, ForkBody, WorkflowDefinition)
"""Models of bodies, under their own names in the document."""

REF: Final = "#/components/schemas/{model}"


def ref(name: str) -> JsonObject:
    """A schema by its name in the document."""
    return {"$ref": REF.format(model=name)}


def component_schemas() -> JsonObject:
    """Every schema by its name."""
    made = models_json_schema([(model, "validation") for model in BODIES], by_alias=True, ref_template=REF)[1]
    models = checked_copy(made["$defs"])
    assert isinstance(models, dict)  # noqa: S101  (pydantic's own form)
    return {**models, **_ANSWERS}


def _object(required: Mapping[str, JsonValue], optional: Mapping[str, JsonValue] | None = None) -> JsonObject:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _array(items: JsonValue) -> JsonObject:
    return {"type": "array", "items": items}


def _or_null(schema: JsonObject) -> JsonObject:
    return {"anyOf": [schema, {"type": "null"}]}


def _map(values: JsonValue) -> JsonObject:
    return {"type": "object", "additionalProperties": values}


_TEXT: Final[JsonObject] = {"type": "string"}
_FLAG: Final[JsonObject] = {"type": "boolean"}
_COUNT: Final[JsonObject] = {"type": "integer", "minimum": 0}
_MOMENT: Final[JsonObject] = {"type": "integer", "description": "Epoch milliseconds."}
_ANY: Final[JsonObject] = {"description": "Any JSON."}
_STATUS: Final[JsonObject] = {"type": "string", "enum": [status.value for status in Status]}
_TAGS: Final = _map(_TEXT)
_FAULT: Final = _object({"path": _TEXT, "message": _TEXT})
_HOLD: Final = _object({"actor": _TEXT, "at": _MOMENT}, {"reason": _TEXT})

_RESULT: Final = _object(
    {"output": _ANY, "timestamp": _MOMENT, "attempt": _COUNT}, {"error": _TEXT, "errorType": _TEXT}
)
_WAIT: Final = _object(
    {
        "signal": _or_null(_TEXT),
        "by": _TEXT,
        "visit": _COUNT,
        "attempt": _COUNT,
        "resumes": _COUNT,
        "callbackUrl": _or_null({"type": "string", "description": "Whoever holds it may end this wait, once."}),
    },
    {"dueAt": _MOMENT, "heartbeatMs": _COUNT, "counts": _array(_COUNT), "data": _ANY},
)
_RETRY_STATE: Final = _object(
    {"nodeId": _TEXT, "attempts": _COUNT, "nextRetryAt": _MOMENT}, {"counts": _array(_COUNT), "resumes": _COUNT}
)

_RUN: Final = _object(
    {
        "schemaVersion": _COUNT,
        "workflowId": _TEXT,
        "status": _STATUS,
        "currentNodeId": _or_null(_TEXT),
        "context": {**_map(_array(_RESULT)), "description": "The newest result of each node."},
        "version": _COUNT,
        "lastStartedAt": _MOMENT,
        "totalExecutionTime": _COUNT,
        "metadata": _map(_ANY),
        "startedAt": _MOMENT,
        "visits": {**_map(_COUNT), "description": "How often each node has been entered and has left a result."},
        "output": {"description": "Output of the node executed last, once the run has ended."},
    },
    {
        "retryState": _RETRY_STATE,
        "wait": _WAIT,
        "lastNodeId": _TEXT,
        "definition": _object({"name": _TEXT, "version": _TEXT}),
        "tags": _TAGS,
        "tenant": _TEXT,
        "parent": _map(_ANY),
        "input": _ANY,
        "held": _HOLD,
    },
)

_RUN_IN_LIST: Final = _object(
    {
        "workflowId": _TEXT,
        "workflow": _or_null(_TEXT),
        "status": _STATUS,
        "currentNodeId": _or_null(_TEXT),
        "version": _COUNT,
        "startedAt": _MOMENT,
        "lastStartedAt": _MOMENT,
    },
    {"held": _HOLD, "tags": _TAGS, "tenant": _TEXT},
)

_ENTRY: Final = _object(
    {"version": _COUNT, "at": _MOMENT, "kind": _TEXT},
    {
        "nodeId": _or_null(_TEXT),
        "status": _STATUS,
        "durationMs": _COUNT,
        "attempt": _COUNT,
        "output": _ANY,
        "error": _TEXT,
        "errorType": _TEXT,
        "resumedBy": _TEXT,
        "signal": _TEXT,
        "actor": _TEXT,
        "reason": _TEXT,
        "target": _TEXT,
    },
)

_CURSOR: Final = _or_null({"type": "string", "description": "Give it to the next call; null: there are no more."})

_ANSWERS: Final[JsonObject] = {
    "Problem": {
        **_object(
            {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT}, {"errors": _array(_FAULT)}
        ),
        "description": "A problem document (RFC 9457); `errors` has the path of each bad field.",
    },
    "Started": _object({"workflowId": _TEXT, "status": _STATUS, "links": _object({"run": _TEXT, "resume": _TEXT})}),
    "Ended": _object(
        {"workflowId": _TEXT, "status": _STATUS, "output": _ANY, "links": _object({"run": _TEXT})},
        {"error": _TEXT, "errorType": _TEXT},
    ),
    "Run": _RUN,
    "RunList": _object({"runs": _array(_RUN_IN_LIST), "cursor": _CURSOR}),
    "History": _object(
        {
            "workflowId": _TEXT,
            "version": _COUNT,
            "entries": _array(_ENTRY),
            "after": _or_null({"type": "integer", "description": "Give it to the next call; null: there is no more."}),
        }
    ),
    "Accepted": _object({"accepted": _FLAG, "repeated": _FLAG}, {"links": _object({"run": _TEXT})}),
    "Changed": _object(
        {"workflowId": _TEXT, "status": _STATUS, "version": _COUNT, "links": _object({"run": _TEXT}, {"source": _TEXT})}
    ),
    "Removed": _object({"workflowId": _TEXT, "removed": _FLAG}),
    "WebhookTarget": _object(
        {
            "workflowId": _TEXT,
            "workflow": _or_null(_TEXT),
            "nodeId": _TEXT,
            "signal": _or_null(_TEXT),
            "expiresAt": _MOMENT,
            "method": _TEXT,
        }
    ),
    "WorkflowList": _object(
        {
            "workflows": _array(
                _object(
                    {
                        "name": _TEXT,
                        "version": _TEXT,
                        "description": _or_null(_TEXT),
                        "source": {"enum": ["code", "stored"]},
                    }
                )
            )
        }
    ),
    "StoredWorkflow": {
        **_object(
            {"name": _TEXT, "version": _TEXT, "nodes": _array(_map(_ANY)), "edges": _array(_map(_ANY))},
            {
                "description": _TEXT,
                "start": _TEXT,
                "input": _ANY,
                "output": _ANY,
                "deadlineMs": _COUNT,
                "metadata": _ANY,
            },
        ),
        "description": "A WorkflowDefinition with its version.",
    },
    "Put": _object({"name": _TEXT, "version": _TEXT, "changed": _FLAG, "warnings": _array(_FAULT)}),
    "NodeTypeList": _object(
        {
            "nodeTypes": _array(
                _object(
                    {
                        "type": _TEXT,
                        "description": _or_null(_TEXT),
                        "input": _ANY,
                        "output": _ANY,
                        "executed": _FLAG,
                        "handles": _or_null(_array(_TEXT)),
                        "handlesByData": _FLAG,
                        "retry": _array(_map(_ANY)),
                        "timeoutMs": _or_null(_COUNT),
                        "raw": {"anyOf": [_FLAG, _array(_TEXT)]},
                        "metadata": _ANY,
                    }
                )
            )
        }
    ),
    "Health": _object(
        {
            "status": {"enum": ["ok", "degraded"]},
            "table": {"enum": ["ok", "unreachable"]},
            "queue": {"enum": ["ok", "unreachable"]},
            "overdueRuns": _or_null(_COUNT),
        }
    ),
    "OpenApi": {"type": "object", "required": ["openapi", "info", "paths", "components"]},
}
