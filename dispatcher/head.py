"""The head of a run: its snapshot and the shell's bookkeeping, the one mutable item of a run.

Owns the head's shape and its form as bytes. It refuses to know where those bytes are kept.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

from dispatcher.errors import HistoryDamaged, ItemTooLarge, UnknownSchema
from dispatcher.history import (
    LAYOUT,
    History,
    Owner,
    history_from_json,
    history_to_json,
    packed_json,
    value_from_json,
    value_to_json,
)
from dispatcher.limits import CLOSING_BYTES_MAX, ITEM_BYTES_MAX
from dispatcher.table_schema import started_sort_key
from engine import Resumed, Snapshot, Status, WaitAddress
from engine.errors import InvalidSnapshot
from engine.json_value import Deferred, JsonObject, JsonValue
from engine.limits import SCHEMA_VERSION

HEAD_SCHEMA: Final = 1
"""Version of the head's own form. A reader that finds a higher one is older than the writer."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A signal that a commit has taken: its inbox item must go before another is taken."""

    signal_id: str
    inbox_key: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A payload from outside that no committed step has taken yet.

    Args:
        resumed: why a wait ended, its payload aside. A start's payload is the run's input, which the snapshot holds
            already: None then.
        payload: what came with it.
        resumes: waits of this visit that had ended before the step that is to take it.
    """

    resumed: Resumed | None = None
    payload: JsonValue | Deferred = None
    resumes: int = 0


@dataclass(frozen=True, slots=True)
class Hold:
    """An operator's hold: no step of the run begins until it is lifted. ``at_ms``: since when, epoch milliseconds."""

    actor: str
    reason: str | None
    at_ms: int


CallKind: TypeAlias = Literal["hold", "release", "cancel", "retry", "fork"]


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """What an operator did to a run, recorded with it.

    Args:
        key: its ``Idempotency-Key``, or a fresh id.
        kind: what was asked for.
        actor: who asked.
        reason: why, if that was said.
        at_ms: when, epoch milliseconds.
        version: the run's version then.
        target: for a fork, the id of the new run.
        from_version: for a fork, the version it begins with.
    """

    key: str
    kind: CallKind
    actor: str
    reason: str | None
    at_ms: int
    version: int
    target: str | None = None
    from_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A run as it is stored.

    Args:
        snapshot: the engine's state.
        nonce: random text fixed at start; part of idempotency keys and webhook tokens.
        input_digest: hash of name and input, by which a repeated start is known.
        pending: what the next step is given from outside, kept until the step that takes it commits.
        takes: signals the last commit took.
        by: id of the message whose delivery committed this version; None for a start.
        writer_id: fresh for each commit attempt, by which a writer knows its own write again.
        due_at_ms: the due mark, epoch milliseconds; None when only something external can go on.
        grace_ms: how late the run may be before the sweep counts its message as lost.
        history: how the run came here.
        layout: how that is kept.
        started_at_ms: when the run was started, epoch milliseconds.
        retry_epoch: raised by an operator's retry with changed data; part of idempotency keys.
        hold: an operator's hold, which commits leave as it is.
        tries: executions of this version that were begun by a redelivery.
        claim_until_ms: until when somebody may be executing this version, which is to be executed once.
        outside_calls: signals, holds and releases so far, by which the sweep knows that one has come since it looked.
        removing: whether the removal of the run has begun.
        in_bucket: whether the run has ever put a value into the bucket.
        far: whether its timer was beyond the queue's reach when it was committed: it is the due mark's, then.
    """

    snapshot: Snapshot
    nonce: str
    input_digest: str
    pending: Pending | None = None
    takes: tuple[Taken, ...] = ()
    by: str | None = None
    writer_id: str = ""
    due_at_ms: int | None = None
    grace_ms: int | None = None
    history: History = field(default_factory=History)
    layout: int = LAYOUT
    started_at_ms: int = 0
    retry_epoch: int = 0
    hold: Hold | None = None
    tries: int = 0
    claim_until_ms: int | None = None
    outside_calls: int = 0
    removing: bool = False
    in_bucket: bool = False
    far: bool = False

    @property
    def workflow_id(self) -> str:
        """The run's id."""
        return self.snapshot.workflow_id

    @property
    def version(self) -> int:
        """Number of transitions so far."""
        return self.snapshot.version

    @property
    def owner(self) -> Owner:
        """The run, and the life of it, that what it puts away belongs to."""
        return Owner(self.workflow_id, self.nonce)

    @property
    def wait_address(self) -> WaitAddress | None:
        """The wait the run is in, or None."""
        wait, node_id = self.snapshot.wait, self.snapshot.current_node_id
        return None if wait is None or node_id is None else WaitAddress(node_id, wait.visit, wait.resumes)

    def as_stored(self, *, due_at_ms: int | None, hold: Hold | None, outside_calls: int) -> Head:
        """A head just written, under what its write left alone; what is of the version before is cleared."""
        return replace(
            self,
            due_at_ms=due_at_ms,
            hold=hold,
            outside_calls=outside_calls,
            grace_ms=None,
            tries=0,
            claim_until_ms=None,
        )

    def marked(self, due_at_ms: int | None, grace_ms: int | None) -> Head:
        """The same head under another due mark."""
        return replace(self, due_at_ms=due_at_ms, grace_ms=grace_ms)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What conditions and indexes look at, beside the body."""

    version: int
    writer_id: str
    by: str | None
    status: Status
    started: str
    schema: int = HEAD_SCHEMA
    due_at_ms: int | None = None
    grace_ms: int | None = None
    hold: Hold | None = None
    tries: int = 0
    claim_until_ms: int | None = None
    outside_calls: int = 0
    removing: bool = False


def attributes_of(head: Head) -> Attributes:
    """What a freshly written head has beside its body, mark and hold aside."""
    definition = head.snapshot.definition
    return Attributes(
        version=head.version,
        writer_id=head.writer_id,
        by=head.by,
        status=head.snapshot.status,
        started=started_sort_key(
            head.started_at_ms, definition.name if definition is not None else "", head.workflow_id
        ),
    )


def encode_body(head: Head) -> bytes:
    """Everything of a head that no condition or index looks at, as compressed JSON.

    Raises:
        ItemTooLarge: the table would refuse it.
    """
    snapshot = head.snapshot
    document: JsonObject = {
        "snapshot": snapshot.without_values(),
        "history": history_to_json(head.history),
        "nonce": head.nonce,
        "inputDigest": head.input_digest,
        "layout": head.layout,
        "startedAt": head.started_at_ms,
    }
    if snapshot.input is not None:
        document["input"] = value_to_json(snapshot.input)
    if snapshot.wait is not None and snapshot.wait.data is not None:
        document["waitData"] = value_to_json(snapshot.wait.data)
    if head.far:
        document["far"] = True
    if head.in_bucket:
        document["inBucket"] = True
    if head.retry_epoch:
        document["retryEpoch"] = head.retry_epoch
    if head.pending is not None:
        document["pending"] = _pending_to_json(head.pending)
    if head.takes:
        document["takes"] = [{"id": taken.signal_id, "key": taken.inbox_key} for taken in head.takes]
    body = zlib.compress(packed_json(document), level=6)
    bytes_max = CLOSING_BYTES_MAX if snapshot.status.terminal else ITEM_BYTES_MAX
    if len(body) > bytes_max:
        raise ItemTooLarge(f"run {head.workflow_id!r} would take {len(body)} bytes compressed; the most is {bytes_max}")
    return body


def decode_body(body: bytes, attributes: Attributes) -> Head:
    """Reads a head; what it refers to is read once an archive has opened it.

    Raises:
        UnknownSchema: it was written by newer code.
        HistoryDamaged: it is of no form this code ever wrote.
    """
    if attributes.schema > HEAD_SCHEMA:
        raise UnknownSchema(f"head schema {attributes.schema} is newer than {HEAD_SCHEMA}")
    document: Any = {}
    try:
        document = json.loads(zlib.decompress(body))
        if document["layout"] > LAYOUT:
            raise UnknownSchema(f"layout {document['layout']} is newer than {LAYOUT}")
        return _decoded(document, attributes)
    except InvalidSnapshot as error:
        if document["snapshot"].get("schemaVersion", 0) > SCHEMA_VERSION:
            raise UnknownSchema(str(error)) from None
        raise HistoryDamaged(f"a head cannot be read: {error}") from None
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise HistoryDamaged(f"a head cannot be read: {type(error).__name__}: {error}") from None


def _decoded(document: Mapping[str, Any], attributes: Attributes) -> Head:
    snapshot = Snapshot.from_json(document["snapshot"])
    history = history_from_json(document["history"])
    if "waitData" in document and snapshot.wait is not None:
        snapshot = snapshot._replace(wait=snapshot.wait._replace(data=value_from_json(document["waitData"])))
    return Head(
        snapshot=snapshot._replace(input=value_from_json(document.get("input", {}))),
        nonce=document["nonce"],
        input_digest=document["inputDigest"],
        pending=_pending_from_json(document["pending"]) if "pending" in document else None,
        takes=tuple(Taken(item["id"], item["key"]) for item in document.get("takes", ())),
        by=attributes.by,
        writer_id=attributes.writer_id,
        due_at_ms=attributes.due_at_ms,
        grace_ms=attributes.grace_ms,
        history=history,
        layout=document["layout"],
        started_at_ms=document["startedAt"],
        retry_epoch=document.get("retryEpoch", 0),
        hold=attributes.hold,
        tries=attributes.tries,
        claim_until_ms=attributes.claim_until_ms,
        outside_calls=attributes.outside_calls,
        removing=attributes.removing,
        in_bucket=document.get("inBucket", False),
        far=document.get("far", False),
    )


def hold_to_json(hold: Hold) -> JsonObject:
    """The stored and shown form of a hold."""
    document: JsonObject = {"actor": hold.actor, "at": hold.at_ms}
    if hold.reason is not None:
        document["reason"] = hold.reason
    return document


def hold_from_json(document: Mapping[str, Any]) -> Hold:
    """Reads what :func:`hold_to_json` wrote."""
    return Hold(document["actor"], document.get("reason"), document["at"])


def call_to_json(call: OperatorCall) -> JsonObject:
    """The stored form of an operator's call."""
    return {name: value for name, value in asdict(call).items() if value is not None}


def call_from_json(document: Mapping[str, Any]) -> OperatorCall:
    """Reads what :func:`call_to_json` wrote."""
    return OperatorCall(**{"reason": None, **document})


def _pending_to_json(pending: Pending) -> JsonObject:
    if pending.resumed is None:
        return {"start": True}
    document: JsonObject = {"by": pending.resumed.by, "signal": pending.resumed.signal}
    if pending.payload is not None:
        document["payload"] = value_to_json(pending.payload)
    if pending.resumes:
        document["resumes"] = pending.resumes
    return document


def _pending_from_json(document: Mapping[str, Any]) -> Pending:
    if document.get("start") is True:
        return Pending()
    signal, payload = document.get("signal"), value_from_json(document.get("payload", {}))
    match document.get("by"):
        case "signal" | "timeout" | "timer" | "operator" as by:
            return Pending(Resumed(by, signal), payload, document.get("resumes", 0))
        case other:
            raise UnknownSchema(f"pending.by is {other!r}")
