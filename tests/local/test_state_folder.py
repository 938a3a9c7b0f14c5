"""The folder of a local stack: what is written comes back, and what is not ours is left alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.state_folder import STATE_NAME, State, StateFolder, StateUnusable, StoredObject

TAG = "d41d8cd98f00b204e9800998ecf8427e"
OTHER_TAG = f"{TAG}-2"
STATE = State(
    "whsec_kept",
    [{"pk": {"S": "run#1"}, "body": {"B": b"\x00\xff"}, "m": {"M": {"base64": {"S": "eHg="}}}}],
    [StoredObject("uploads", "a b.csv", TAG, "text/csv")],
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StateFolder]:
    """A folder that is not there yet."""
    with StateFolder(tmp_path / "deep" / "data") as folder:
        yield folder


def test_what_is_saved_is_loaded(folder: StateFolder) -> None:
    """Bytes and all; nobody else may read it, for the secret is in it."""
    assert folder.load() is None
    folder.put_object(TAG, b"a,b\n")
    folder.save(STATE)
    assert folder.load() == STATE
    assert folder.get_object(TAG) == b"a,b\n"
    assert (folder.path / STATE_NAME).stat().st_mode & 0o077 == 0


def test_objects_that_nothing_names_go(folder: StateFolder) -> None:
    """After the state that names them no more."""
    for tag in (TAG, OTHER_TAG):
        folder.put_object(tag, b"x")
    folder.save(STATE)
    assert folder.has_object(TAG)
    assert not folder.has_object(OTHER_TAG)


def _document(**changes: object) -> bytes:
    document = {"format": "refluxo-local-state", "formatVersion": 1, "signingSecret": "s", "items": [], "objects": []}
    return gzip.compress(json.dumps({**document, **changes}).encode())


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (b"", "damaged, or no state"),
        (b"somebody's notes", "damaged, or no state"),
        (_document()[:-9], "damaged, or no state"),
        (gzip.compress(b"[1]"), "is no state of a local stack"),
        (_document(format="other"), "is no state of a local stack"),
        (_document(formatVersion=2), "has format 2, and this version reads 1"),
        (_document(objects=[{"bucket": "b"}]), "is damaged"),
        (
            _document(objects=[{"bucket": "b", "key": "k", "etag": "../../escape", "content_type": "t"}]),
            "is damaged",
        ),
    ],
)
def test_what_cannot_be_used_is_told_and_left_alone(folder: StateFolder, found: bytes, said: str) -> None:
    """With its name and a way out."""
    file = folder.path / STATE_NAME
    file.write_bytes(found)
    with pytest.raises(StateUnusable, match=said) as raised:
        folder.load()
    assert str(file) in str(raised.value)
    assert "left as it is: move it away, or choose another folder" in str(raised.value)
    assert file.read_bytes() == found


def test_a_missing_object_is_told(folder: StateFolder) -> None:
    """By its file."""
    with pytest.raises(StateUnusable, match=f"{TAG} is missing"):
        folder.get_object(TAG)


def test_a_folder_is_one_stacks_at_a_time(folder: StateFolder) -> None:
    """The second is told; when the first is done it may."""
    with pytest.raises(StateUnusable, match="another local stack uses"):
        StateFolder(folder.path)
    folder.close()
    StateFolder(folder.path).close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file is in its place, say."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StateUnusable, match="choose another folder"):
        StateFolder(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
