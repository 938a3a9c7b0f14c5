"""Key, index and attribute names of the one table: what the store writes and what infra provisions.

It imports nothing, so that infra may read it without the dispatcher, and it refuses to know what the
values mean: that is the store's business.
"""

from __future__ import annotations

PARTITION_KEY = "pk"
SORT_KEY = "sk"

# Sparse and keys-only: an item is in it only while it carries a due mark, so the index stays as small as
# the set of runs in motion, and a moved mark costs two write units, an unmoved one none.
DUE_INDEX = "due"
DUE_SHARD = "due_shard"
DUE_AT = "due_at"

# Epoch seconds after which DynamoDB may delete the item. Late by hours, so never a timer.
EXPIRES_AT = "expires_at"

# How many partitions the due index is spread over: one index partition takes 1,000 write units a second,
# and a start costs two of them.
DUE_SHARDS = 16

HEAD_SORT_KEY = "head"
SIGNAL_PREFIX = "sig#"
INBOX_PREFIX = "inbox#"


def run_partition(workflow_id: str) -> str:
    """Partition key of everything that belongs to a run."""
    return f"run#{workflow_id}"


def definition_partition(name: str) -> str:
    """Partition key of every version of a workflow's definition."""
    return f"workflow#{name}"


def definition_sort_key(version: str) -> str:
    """Sort key of one immutable version, which is the hash of its content."""
    return f"v#{version}"


def signal_sort_key(signal_id: str) -> str:
    """Sort key of the permanent mark by which a repeated signal is known."""
    return f"{SIGNAL_PREFIX}{signal_id}"


def inbox_sort_key(name: str, arrived_at_ms: int, signal_id: str) -> str:
    """Sort key of a signal not yet taken: by name, then oldest first."""
    return f"{INBOX_PREFIX}{name}#{arrived_at_ms:013d}#{signal_id}"


def due_shard(number: int) -> str:
    """Partition key, in the due index, of one shard (0 to ``DUE_SHARDS`` - 1)."""
    return f"due#{number}"
