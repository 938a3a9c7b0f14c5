"""Values as the bytes of an item: compressed JSON."""

from __future__ import annotations

import json
import zlib

from dispatcher.errors import ItemTooLarge
from dispatcher.history import packed_json
from dispatcher.limits import ITEM_BYTES_MAX
from engine.json_value import JsonObject


def packed(document: JsonObject, what: str) -> bytes:
    """A document as an item's body.

    Raises:
        ItemTooLarge: the table would refuse it; ``what`` names it.
    """
    body = zlib.compress(packed_json(document), level=6)
    if len(body) > ITEM_BYTES_MAX:
        raise ItemTooLarge(f"{what} would take {len(body)} bytes compressed; the most is {ITEM_BYTES_MAX}")
    return body


def unpacked(body: bytes) -> JsonObject:
    """What :func:`packed` has packed."""
    document: JsonObject = json.loads(zlib.decompress(body))
    return document
