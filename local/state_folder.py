"""The folder in which a local stack keeps its state: one file that is replaced whole, and the objects beside it.

Owns the format. It knows files alone, no service. A folder is one stack's at a time, and what is found in it that
was not written here is refused and left untouched.
"""

from __future__ import annotations

import base64
import fcntl
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

STATE_NAME: Final = "state.json.gz"

_FORMAT: Final = "refluxo-local-state"
_FORMAT_VERSION: Final = 1

# The state compresses badly, for the table's bodies are compressed: speed is what counts.
_COMPRESSION: Final = 1

_ETAG: Final = re.compile(r"[0-9a-f]{32}(-[0-9]+)?")

Item = Mapping[str, Any]
"""An item of the table, as boto3's low-level client has it."""


class StateUnusable(ValueError):
    """The folder cannot be used; says which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of a bucket. ``etag`` names its content, and the file that has it."""

    bucket: str
    key: str
    etag: str
    content_type: str


@dataclass(frozen=True, slots=True)
class State:
    """All that is kept. ``items`` None: the table was elsewhere."""

    signing_secret: str
    items: Sequence[Item] | None
    objects: Sequence[StoredObject]


class StateFolder:
    """A folder that this process alone uses, from construction to :meth:`close`.

    Raises:
        StateUnusable: another stack uses it, or it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._objects = path / "objects"
        try:
            # The signing secret is in it.
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._objects.mkdir(mode=0o700, exist_ok=True)
            self._lock: IO[bytes] = (path / "lock").open("wb")
        except OSError as error:
            raise StateUnusable(f"{error.filename}: {error.strerror}; choose another folder for --data") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise StateUnusable(f"another local stack uses {path}; stop it, or choose another --data") from None

    def close(self) -> None:
        """Gives the folder back."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _file(self) -> Path:
        return self.path / STATE_NAME

    def load(self) -> State | None:
        """What was saved, or None when nothing was.

        Raises:
            StateUnusable: the file is damaged or not one of ours. It is left as it is.
        """
        try:
            written = gzip.decompress(self._file.read_bytes())
            return _state_of(json.loads(written, object_hook=_bytes_read))
        except FileNotFoundError:
            return None
        except StateUnusable as error:
            raise StateUnusable(f"{self._file} {error}; {_REMEDY}") from None
        except (OSError, EOFError, zlib.error, ValueError, RecursionError):
            raise StateUnusable(f"{self._file} is damaged, or no state of a local stack; {_REMEDY}") from None

    def save(self, state: State) -> None:
        """Replaces what was saved: wholly, or not at all. Objects that nothing names any more are removed after it."""
        document = {
            "format": _FORMAT,
            "formatVersion": _FORMAT_VERSION,
            "signingSecret": state.signing_secret,
            "items": state.items,
            "objects": [asdict(stored) for stored in state.objects],
        }
        written = json.dumps(document, default=_bytes_written, separators=(",", ":")).encode()
        _replace(self._file, gzip.compress(written, _COMPRESSION, mtime=0))
        self._remove_all_but(stored.etag for stored in state.objects)

    def has_object(self, etag: str) -> bool:
        """Whether an object's content is here."""
        return self._object(etag).exists()

    def put_object(self, etag: str, body: bytes) -> None:
        """Keeps an object's content, which the next state names."""
        _replace(self._object(etag), body)

    def get_object(self, etag: str) -> bytes:
        """An object's content.

        Raises:
            StateUnusable: it is gone.
        """
        try:
            return self._object(etag).read_bytes()
        except OSError:
            raise StateUnusable(f"{self._object(etag)} is missing; {_REMEDY}") from None

    def _object(self, etag: str) -> Path:
        return self._objects / etag

    def _remove_all_but(self, etags: Iterable[str]) -> None:
        kept = set(etags)
        for path in self._objects.iterdir():
            if path.name not in kept:
                path.unlink()


_REMEDY: Final = "it is left as it is: move it away, or choose another folder for --data"


def _state_of(document: object) -> State:
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise StateUnusable("is no state of a local stack")
    if document.get("formatVersion") != _FORMAT_VERSION:
        raise StateUnusable(f"has format {document.get('formatVersion')!r}, and this version reads {_FORMAT_VERSION}")
    try:
        state = State(
            str(document["signingSecret"]), document["items"], [StoredObject(**each) for each in document["objects"]]
        )
    except (KeyError, TypeError):
        raise StateUnusable("is damaged") from None
    if not all(_ETAG.fullmatch(stored.etag) for stored in state.objects):
        raise StateUnusable("is damaged")
    return state


def _replace(path: Path, body: bytes) -> None:
    """Writes a file in one go: whoever reads it finds the old one or the new one."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _bytes_written(value: object) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(f"a {type(value).__name__} in an item of the table")


def _bytes_read(document: dict[str, object]) -> object:
    match document:
        case {"base64": str(text)} if len(document) == 1:
            return base64.b64decode(text, validate=True)
        case _:
            return document
