"""The two messages on the queue: a continuation of one version, and a nudge."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from dispatcher.errors import MalformedMessage
from engine.naming import valid_name

# What a child run's id appends to its root's: a tilde and 26 base32 digits (dispatch-protocol.md, fan-out).
_CHILD_SUFFIX: Final = re.compile(r"~[a-z2-7]{26}")


def valid_run_id(text: str) -> bool:
    """Whether a run can have that id: a name as users give it, or a child's id."""
    root, tilde, digits = text.partition("~")
    return valid_name(root) and (not tilde or _CHILD_SUFFIX.fullmatch(tilde + digits) is not None)


@dataclass(frozen=True, slots=True)
class Continuation:
    """Execute the step of exactly this version."""

    workflow_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Wake:
    """Something has come for the run: look whether it waits for it. Acts on nothing else."""

    workflow_id: str


Message: TypeAlias = Continuation | Wake


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a message by the queue. ``receive_count`` is 1 for the first."""

    message_id: str
    receive_count: int
    message: Message


def encode(message: Message) -> str:
    """The message as it stands on the queue."""
    match message:
        case Continuation(workflow_id, version):
            return json.dumps({"workflowId": workflow_id, "version": version})
        case Wake(workflow_id):
            return json.dumps({"workflowId": workflow_id, "wake": True})


def decode(body: str) -> Message:
    """Reads a message.

    Raises:
        MalformedMessage: it is neither of the two; says what was found.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise MalformedMessage("the body is not JSON") from None
    if not isinstance(document, dict):
        raise MalformedMessage(f"the body is a {type(document).__name__}, not an object")
    workflow_id, version = document.get("workflowId"), document.get("version")
    if not isinstance(workflow_id, str) or not valid_run_id(workflow_id):
        raise MalformedMessage("workflowId is missing or not the id of a run")
    if document.get("wake") is True:
        return Wake(workflow_id)
    if isinstance(version, bool) or not isinstance(version, int) or version < 0:
        raise MalformedMessage("version is missing or not a whole number, and wake is not true")
    return Continuation(workflow_id, version)
