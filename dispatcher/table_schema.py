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

# Sparse by nature, for only heads carry these: runs by status and by workflow, newest first. A status is spread over
# shards of its own, for the index of a bare status would be one hot partition.
STATUS_INDEX = "status"
STATUS_SHARD = "status_shard"
WORKFLOW_INDEX = "workflow"
WORKFLOW_SHARD = "workflow_shard"
STARTED = "started"

# Epoch seconds after which DynamoDB may delete the item. Late by hours, so never a timer.
EXPIRES_AT = "expires_at"

# How many partitions the due index is spread over: one index partition takes 1,000 write units a second,
# and a start costs two of them.
DUE_SHARDS = 16

LIST_SHARDS = 8

HEAD_SORT_KEY = "head"
SIGNAL_PREFIX = "sig#"
INBOX_PREFIX = "inbox#"
CALL_PREFIX = "call#"


def run_partition(workflow_id: str) -> str:
    """Partition key of everything that belongs to a run."""
    return f"run#{workflow_id}"


def definition_partition(name: str) -> str:
    """Partition key of every version of a workflow's definition."""
    return f"workflow#{name}"


def definition_sort_key(version: str) -> str:
    """Sort key of one immutable version, which is the hash of its content."""
    return f"v#{version}"


# Which version of each stored workflow is the newest: one small item a name, so that a list of them is one query.
POINTER_PARTITION = "workflows"


def signal_sort_key(signal_id: str) -> str:
    """Sort key of the permanent mark by which a repeated signal is known."""
    return f"{SIGNAL_PREFIX}{signal_id}"


def inbox_sort_key(name: str, arrived_at_ms: int, signal_id: str) -> str:
    """Sort key of a signal not yet taken: by name, then oldest first."""
    return f"{INBOX_PREFIX}{name}#{arrived_at_ms:013d}#{signal_id}"


def call_sort_key(key: str) -> str:
    """Sort key of an operator's call, by which a repeated one is known and the history tells of it."""
    return f"{CALL_PREFIX}{key}"


def segment_sort_key(number: int) -> str:
    """Sort key of a sealed segment, counted from 0."""
    return f"segment#{number:09d}"


def index_sort_key(number: int) -> str:
    """Sort key of a page of the index by node, counted from 0."""
    return f"index#{number:09d}"


def value_sort_key(digest: str) -> str:
    """Sort key of a large value, which is the SHA-256 of its JSON."""
    return f"blob#{digest}"


def bucket_key(workflow_id: str, sort_key: str) -> str:
    """Where an object too large for the table is kept in the bucket."""
    return f"{bucket_prefix(workflow_id)}{sort_key.replace('#', '/')}"


def bucket_prefix(workflow_id: str) -> str:
    """What the keys of all objects of a run begin with."""
    return f"runs/{workflow_id}/"


def status_shard(status: str, number: int) -> str:
    """Partition key, in the index by status, of one shard (0 to ``LIST_SHARDS`` - 1)."""
    return f"{status}#{number}"


def workflow_shard(workflow: str, number: int) -> str:
    """Partition key, in the index by workflow, of one shard (0 to ``LIST_SHARDS`` - 1)."""
    return f"{workflow}#{number}"


def started_sort_key(started_at_ms: int, workflow: str, workflow_id: str) -> str:
    """Sort key of both listings: by time, and it tells workflow and run without a look at the head."""
    return f"{started_at_ms:013d}#{workflow}#{workflow_id}"


def due_shard(number: int) -> str:
    """Partition key, in the due index, of one shard (0 to ``DUE_SHARDS`` - 1)."""
    return f"due#{number}"
