"""Keeps the emulator's table and buckets in a folder, and puts them back into the next emulator.

A copy is of one moment, for the gate is closed meanwhile; what the product has at any moment is what it survives a
crash with. Messages are not kept: what the table says is enough to send them again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from local.emulator import EmulatorClients
from local.gate import Gate
from local.provision import TABLE_NAME
from local.state_folder import Item, State, StateFolder, StoredObject

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

SAVE_SECONDS: Final = 3.0
"""How often the state is saved, if it has changed: what a crash of the stack may cost."""

_BATCH_ITEMS: Final = 25
"""Items of one BatchWriteItem at most (DynamoDB quotas)."""


class Keeper:
    """Saves, and restores.

    Args:
        folder: where.
        clients: of the emulator, whose requests pass its gate.
        gate: the emulator's.
        signing_secret: kept too.
        with_table: False when the table is elsewhere, and lasts by itself.
        buckets: whose objects are kept.
        before: what the folder had.
    """

    def __init__(
        self,
        folder: StateFolder,
        clients: EmulatorClients,
        gate: Gate,
        *,
        signing_secret: str,
        with_table: bool,
        buckets: Sequence[str],
        before: State | None,
    ) -> None:
        self._folder = folder
        self._clients = clients
        self._gate = gate
        self._signing_secret = signing_secret
        self._with_table = with_table
        self._buckets = buckets
        self._before = before
        self._content_types = {(o.bucket, o.key, o.etag): o.content_type for o in before.objects} if before else {}
        self._saved_writes = -1
        self._saving = threading.Lock()

    def restore(self) -> None:
        """Puts back what the folder had.

        Raises:
            StateUnusable: an object's file is missing.
        """
        if self._before is None:
            return
        if self._with_table and self._before.items:
            dynamodb = self._clients.dynamodb()
            items = self._before.items
            for start in range(0, len(items), _BATCH_ITEMS):
                puts: list[WriteRequestTypeDef] = [
                    {"PutRequest": {"Item": item}} for item in items[start : start + _BATCH_ITEMS]
                ]
                dynamodb.batch_write_item(RequestItems={TABLE_NAME: puts})
        for stored in self._before.objects:
            if stored.bucket in self._buckets:
                self._clients.s3().put_object(
                    Bucket=stored.bucket,
                    Key=stored.key,
                    Body=self._folder.get_object(stored.etag),
                    ContentType=stored.content_type,
                )

    def save_if_changed(self) -> bool:
        """Saves unless nothing has been written since the last time; whether it did."""
        with self._saving:
            if self._gate.writes == self._saved_writes:
                return False
            with self._gate.closed():
                writes = self._gate.writes
                state = State(self._signing_secret, self._items(), list(self._objects()))
            self._folder.save(state)
            self._saved_writes = writes
            return True

    def _items(self) -> Sequence[Item] | None:
        if not self._with_table:
            # What was kept while the table was here stays for when it is again.
            return self._before.items if self._before is not None else None
        pages = self._clients.dynamodb().get_paginator("scan").paginate(TableName=TABLE_NAME)
        return [item for page in pages for item in page["Items"]]

    def _objects(self) -> Iterator[StoredObject]:
        s3 = self._clients.s3()
        for bucket in self._buckets:
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for listed in page.get("Contents", []):
                    yield self._object(bucket, listed["Key"], listed["ETag"].strip('"'))

    def _object(self, bucket: str, key: str, etag: str) -> StoredObject:
        """An object, fetched if its content is not here yet: it never changes under one tag."""
        known = bucket, key, etag
        if known not in self._content_types or not self._folder.has_object(etag):
            answer = self._clients.s3().get_object(Bucket=bucket, Key=key)
            self._folder.put_object(etag, answer["Body"].read())
            self._content_types[known] = answer["ContentType"]
        return StoredObject(bucket, key, etag, self._content_types[known])
