"""The head of a run: its snapshot and the shell's bookkeeping, the one mutable item of a run.

Owns the head's shape and its form as bytes. It refuses to know where those bytes are kept.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from dispatcher.errors import ItemTooLarge, UnknownSchema
from dispatcher.limits import CLOSING_BYTES_MAX, ITEM_BYTES_MAX
from engine import Snapshot
from engine.errors import InvalidSnapshot
from engine.json_value import JsonObject, JsonValue
from engine.outcome import Resumed

HEAD_SCHEMA: Final = 1
"""Version of the head's own form. A reader that finds a higher one is older than the writer."""

LAYOUT: Final = 1
"""How results are kept: 1 keeps all in the head. Stored at start; the meaning of a number never changes, for
sealing must be a pure function of head and layout (dispatch-protocol.md)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A signal that a commit has taken: its inbox item must go before another is taken."""

    signal_id: str
    inbox_key: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A payload from outside that no committed step has taken yet.

    A start's payload is the run's input, which the snapshot holds already: ``resumed`` is None then.
    """

    resumed: Resumed | None = None


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
        layout: how results are kept.
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
    layout: int = LAYOUT

    @property
    def workflow_id(self) -> str:
        """The run's id."""
        return self.snapshot.workflow_id

    @property
    def version(self) -> int:
        """Number of transitions so far."""
        return self.snapshot.version

    def marked(self, due_at_ms: int | None, grace_ms: int | None) -> Head:
        """The same head under another due mark."""
        return replace(self, due_at_ms=due_at_ms, grace_ms=grace_ms)


def encode_body(head: Head) -> bytes:
    """Everything of a head that no condition or index looks at, as compressed JSON.

    Raises:
        ItemTooLarge: the table would refuse it.
    """
    document: JsonObject = {
        "snapshot": head.snapshot.to_json(),
        "nonce": head.nonce,
        "inputDigest": head.input_digest,
        "layout": head.layout,
    }
    if head.pending is not None:
        document["pending"] = _pending_to_json(head.pending)
    if head.takes:
        document["takes"] = [{"id": taken.signal_id, "key": taken.inbox_key} for taken in head.takes]
    body = zlib.compress(json.dumps(document, separators=(",", ":")).encode(), level=6)
    bytes_max = CLOSING_BYTES_MAX if head.snapshot.status.terminal else ITEM_BYTES_MAX
    if len(body) > bytes_max:
        raise ItemTooLarge(f"run {head.workflow_id!r} would take {len(body)} bytes compressed; the most is {bytes_max}")
    return body


def decode_body(
    body: bytes, *, schema: int, by: str | None, writer_id: str, due_at_ms: int | None, grace_ms: int | None
) -> Head:
    """Reads a head.

    Raises:
        UnknownSchema: it was written by newer code.
    """
    if schema > HEAD_SCHEMA:
        raise UnknownSchema(f"head schema {schema} is newer than {HEAD_SCHEMA}")
    document = json.loads(zlib.decompress(body))
    try:
        snapshot = Snapshot.from_json(document["snapshot"])
    except InvalidSnapshot as error:
        raise UnknownSchema(str(error)) from None
    return Head(
        snapshot=snapshot,
        nonce=document["nonce"],
        input_digest=document["inputDigest"],
        pending=_pending_from_json(document["pending"]) if "pending" in document else None,
        takes=tuple(Taken(item["id"], item["key"]) for item in document.get("takes", ())),
        by=by,
        writer_id=writer_id,
        due_at_ms=due_at_ms,
        grace_ms=grace_ms,
        layout=document["layout"],
    )


def _pending_to_json(pending: Pending) -> JsonObject:
    if pending.resumed is None:
        return {"start": True}
    return {"by": pending.resumed.by, "signal": pending.resumed.signal, "payload": pending.resumed.payload}


def _pending_from_json(document: Mapping[str, JsonValue]) -> Pending:
    if document.get("start") is True:
        return Pending()
    signal, payload = document.get("signal"), document.get("payload")
    match document.get("by"):
        case "signal" | "timeout" | "timer" | "operator" as by:
            return Pending(Resumed(by, signal if isinstance(signal, str) else None, payload))
        case other:
            raise UnknownSchema(f"pending.by is {other!r}")
