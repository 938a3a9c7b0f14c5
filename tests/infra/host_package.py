"""The package as it is built for this machine, once a session, and unpacked where nothing else is."""

from __future__ import annotations

import fcntl
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.package import Project, build, host_target
from infra.packaging.files import zip_folder
from infra.packaging.project import INSTALLED_KIT


def unpacked_host_package(folder: Path) -> Path:
    """Brings build/package-host up to date, which needs a package index when the lock has changed, and unpacks it."""
    archive = folder / "package.zip"
    with alone():
        package, _ = build(Project(root=INSTALLED_KIT), host_target())
        # Nothing is gained by packing tightly what is unpacked at once.
        zip_folder(package, archive, zipfile.ZIP_STORED)
    unpacked = folder / "task"
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(unpacked)
    archive.unlink()
    return unpacked


@contextmanager
def alone() -> Iterator[None]:
    """Tests run in several processes, and the build is one for all of them."""
    folder = INSTALLED_KIT / "build"
    folder.mkdir(exist_ok=True)
    with (folder / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
