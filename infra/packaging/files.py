"""Folders of files: what is in them, how large they are, and how they are made alike everywhere."""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

# 1980-01-02 UTC: a zip holds nothing before 1980, in whatever time zone it is read.
_MODIFIED_AT_SECONDS: Final = 315_619_200


def normalize(folder: Path) -> None:
    """One time for all, and modes that Lambda's own user can read whatever the umask here was."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.suffix == ".so" else 0o644)
        os.utime(path, (_MODIFIED_AT_SECONDS, _MODIFIED_AT_SECONDS))


def unpacked_bytes(folder: Path) -> int:
    """Size of every file in the folder, in bytes."""
    return sum(path.stat().st_size for path in _files(folder))


def zipped_bytes(folder: Path) -> int:
    """Size of the archive that will be uploaded, in bytes, give or take the CDK's own deflate level."""
    with tempfile.TemporaryFile() as archive:
        zip_folder(folder, archive)
        return archive.tell()


def zip_folder(folder: Path, archive: BinaryIO | Path, compression: int = zipfile.ZIP_DEFLATED) -> None:
    """Write the folder's files into an archive."""
    with zipfile.ZipFile(archive, "w", compression) as zipped:
        for path in _files(folder):
            zipped.write(path, path.relative_to(folder))


def children(folder: Path) -> list[Path]:
    """What is directly in the folder, in order; nothing when it is not there."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def remove(path: Path) -> None:
    """Remove a file or a folder with all that is in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
