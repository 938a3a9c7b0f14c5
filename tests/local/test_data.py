"""A stack that keeps its state: stopped or crashed, the next one goes on where it was."""

from __future__ import annotations

import gzip
import shutil
import threading
from pathlib import Path

import pytest

from local import LocalStack
from local.emulator import EmulatorClients
from local.events import UPLOAD_BUCKET_NAME
from local.provision import QUEUE_NAME
from local.state_folder import STATE_NAME, StateFolder, StateUnusable
from tests.local.http import call
from tests.local.waiting import until, until_status

SMALL = "tests.local.small_registry:registry"
EVENTS = "tests.local.event_registry:registry"


def test_a_run_goes_on_in_the_next_stack(tmp_path: Path) -> None:
    """By the link that the first stack gave out, on the same port: the signing secret is kept too."""
    with LocalStack(registry=SMALL, data=tmp_path) as first:
        assert call(f"{first.url}/workflows/small/runs", {"workflowId": "kept"})[0] == 202
        link = until_status(first.url, "kept", "paused")["wait"]["callbackUrl"]
        port = int(first.url.rpartition(":")[2])
    with LocalStack(registry=SMALL, data=tmp_path, port=port) as second:
        assert call(f"{second.url}/runs?workflow=small")[1]["runs"][0]["workflowId"] == "kept"
        assert call(link, {"ok": True})[0] == 202
        assert until_status(second.url, "kept", "completed")["output"] == {"got": {"ok": True}}


def test_a_message_that_was_lost_is_sent_again_at_once(tmp_path: Path) -> None:
    """The state of a run that had only been started, its message still on the queue, as a crash leaves it."""
    saved, crashed = tmp_path / "saved", tmp_path / "crashed"
    with LocalStack(registry=SMALL, data=saved) as first:
        # Whoever receives the message first keeps it: nobody executes the step.
        first._functions[0].stop()
        first._functions[0]._thread.join(10)
        assert call(f"{first.url}/workflows/small/runs", {"workflowId": "lost"})[0] == 202
        until(lambda: (saved / STATE_NAME).exists() and b"lost" in gzip.decompress((saved / STATE_NAME).read_bytes()))
        shutil.copytree(saved, crashed)
    with LocalStack(registry=SMALL, data=crashed) as second:
        assert second.requeued == 1
        assert until_status(second.url, "lost", "paused")["currentNodeId"] == "wait"


def test_objects_are_kept_and_are_no_uploads(tmp_path: Path) -> None:
    """What is put back starts nothing; its content and type are as they were. What was removed stays away."""
    with LocalStack(registry=EVENTS, data=tmp_path) as first:
        s3 = EmulatorClients(first.emulator_url).s3()
        s3.put_object(Bucket=UPLOAD_BUCKET_NAME, Key="a.csv", Body=b"a\n", ContentType="text/csv")
        s3.put_object(Bucket=UPLOAD_BUCKET_NAME, Key="gone.csv", Body=b"b\n")
        until(lambda: call(f"{first.url}/runs?workflow=keep")[1]["runs"], lambda runs: len(runs) == 2)
        s3.delete_object(Bucket=UPLOAD_BUCKET_NAME, Key="gone.csv")
    with LocalStack(registry=EVENTS, data=tmp_path) as second:
        clients = EmulatorClients(second.emulator_url)
        found = clients.s3().get_object(Bucket=UPLOAD_BUCKET_NAME, Key="a.csv")
        assert (found["Body"].read(), found["ContentType"]) == (b"a\n", "text/csv")
        assert clients.s3().list_objects_v2(Bucket=UPLOAD_BUCKET_NAME)["KeyCount"] == 1
        # An upload of now comes after whatever the old ones might have sent.
        clients.s3().put_object(Bucket=UPLOAD_BUCKET_NAME, Key="new.csv", Body=b"c\n")
        until(lambda: call(f"{second.url}/runs?workflow=keep")[1]["runs"], lambda runs: len(runs) == 3)


def test_nothing_is_sent_when_nothing_was_lost(tmp_path: Path) -> None:
    """A fresh folder has no runs, and so the queue is empty."""
    with LocalStack(registry=SMALL, data=tmp_path) as stack:
        assert stack.requeued == 0
        sqs = EmulatorClients(stack.emulator_url).sqs()
        url = sqs.get_queue_url(QueueName=QUEUE_NAME)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        assert attributes["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_a_folder_that_cannot_be_used_leaves_nothing_behind(tmp_path: Path) -> None:
    """Neither threads, nor a lock, nor a changed file."""
    (tmp_path / STATE_NAME).write_bytes(b"somebody's notes")
    before = set(threading.enumerate())
    with pytest.raises(StateUnusable, match="damaged"), LocalStack(registry=SMALL, data=tmp_path):
        pass
    assert {thread for thread in set(threading.enumerate()) - before if thread.is_alive()} == set()
    assert (tmp_path / STATE_NAME).read_bytes() == b"somebody's notes"
    StateFolder(tmp_path).close()
