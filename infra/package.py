"""Builds the one package that every function runs: ``python -m infra.package``, with no Docker.

Owns the recipe: locked wheels for the target runtime, pruned, and the rooms that ship beside them. Equal
input gives an equal folder, so an equal asset hash. Dependencies are fetched only when what names them has
changed (lock, ``workflows/requirements.txt``, services, runtime, this recipe); the rooms are always fresh.

It refuses to compile anything: a dependency without a wheel for the target is an error. pip judges
environment markers (``; python_version < "3.13"``) by the interpreter that runs it, not by the target.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

PythonVersion = Literal["3.12", "3.13", "3.14"]
"""Lambda's Python runtimes on Amazon Linux 2023 (glibc 2.34); 3.11 is on Amazon Linux 2 (2.26)."""

DEFAULT_PYTHON_VERSION: Final[PythonVersion] = "3.13"

LOCK: Final = "requirements-lambda.txt"
USER_REQUIREMENTS: Final = "workflows/requirements.txt"
ROOMS: Final = ("engine", "dispatcher", "workflows")

AWS_SERVICES: Final = ("cloudwatch", "dynamodb", "s3", "secretsmanager", "sqs")
"""What the kit itself calls. A workflow's own services are added in pyproject.toml:
``[tool.refluxo.package] aws-services = ["ses"]``."""

UNPACKED_BYTES_MAX: Final = 262_144_000
"""A function's code, unpacked: 250 MB (AWS Lambda quotas)."""

_ARM64_PLATFORMS: Final = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")

# 1980-01-02 UTC: a zip holds nothing before 1980, in whatever time zone it is read.
_MODIFIED_AT_SECONDS: Final = 315_619_200

_UNREACHABLE: Final = re.compile(
    r"Max retries exceeded|NewConnectionError|NameResolutionError|name resolution|Connection refused"
    r"|ConnectTimeout|ReadTimeout|Network is unreachable|ProxyError|SSLError"
)


class PackageError(Exception):
    """The package cannot be built or is not there; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """An interpreter to build for: ``folder`` under ``build/``, and the wheels it takes."""

    folder: str
    python_version: str
    platforms: tuple[str, ...]
    """Wheel platform tags; empty means this very interpreter."""


def lambda_target(python_version: str = DEFAULT_PYTHON_VERSION) -> Target:
    """Lambda on arm64, which costs a fifth less than x86_64 (AWS Lambda pricing)."""
    return Target(folder="package", python_version=python_version, platforms=_ARM64_PLATFORMS)


def host_target() -> Target:
    """This machine, so that the recipe's result can be run here."""
    return Target(folder="package-host", python_version=sysconfig.get_python_version(), platforms=())


Install = Callable[[Path, Target, Path], None]
"""Puts the dependencies that a root names for a target into an empty folder."""


def build(root: Path, target: Target, *, install: Install | None = None) -> tuple[Path, bool]:
    """Bring ``build/<folder>`` up to date.

    Returns:
        The folder, and whether dependencies had to be fetched.

    Raises:
        PackageError: the index is out of reach, a wheel is missing, or a room is.
    """
    folder = root / "build" / target.folder
    fetched = not is_fresh(root, target)
    if fetched:
        _stamp(root, target).unlink(missing_ok=True)
        _replace_dependencies(root, target, folder, install or pip_install)
    _replace_rooms(root, folder)
    _normalize(folder)
    _stamp(root, target).write_text(dependency_digest(root, target), encoding="utf-8")
    return folder, fetched


def refresh_package(root: Path, python_version: str = DEFAULT_PYTHON_VERSION) -> Path:
    """The Lambda package with today's rooms, made without a network from the dependencies already built.

    So ``cdk deploy`` never ships an older state of the code than the one it is run in.

    Raises:
        PackageError: dependencies were never built, or for another lock or runtime; names the command.
    """
    target = lambda_target(python_version)
    if not is_fresh(root, target):
        command = (
            "make package"
            if python_version == DEFAULT_PYTHON_VERSION
            else f"python -m infra.package --python {python_version}"
        )
        raise PackageError(
            f"The Lambda package for Python {python_version} is missing or out of date: run `{command}` first."
        )
    return build(root, target)[0]


def is_fresh(root: Path, target: Target) -> bool:
    """Whether the dependencies in ``build/<folder>`` are those that the root names today."""
    stamp = _stamp(root, target)
    return (
        stamp.is_file()
        and (root / "build" / target.folder).is_dir()
        and stamp.read_text(encoding="utf-8") == dependency_digest(root, target)
    )


def dependency_digest(root: Path, target: Target) -> str:
    """SHA-256 of all that decides what the dependencies are, this recipe included."""
    digest = hashlib.sha256()
    for part in (
        *(path.read_bytes() for path in _requirement_files(root)),
        repr(aws_services(root)).encode(),
        repr((target, sysconfig.get_platform() if not target.platforms else "")).encode(),
        Path(__file__).read_bytes(),
    ):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def aws_services(root: Path) -> tuple[str, ...]:
    """The services whose botocore data ships, sorted: the kit's and those named in pyproject.toml."""
    pyproject = root / "pyproject.toml"
    document = tomllib.loads(pyproject.read_text(encoding="utf-8")) if pyproject.is_file() else {}
    added = document.get("tool", {}).get("refluxo", {}).get("package", {}).get("aws-services", [])
    return tuple(sorted({*AWS_SERVICES, *added}))


def pip_install(root: Path, target: Target, into: Path) -> None:
    """Install the locked wheels with pip, as it is configured on this machine.

    Raises:
        PackageError: with the remedy, and pip's own last words where it has any.
    """
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--no-compile", "--progress-bar=off"]
    command += ["--disable-pip-version-check", "--no-warn-conflicts", "--only-binary=:all:"]
    command += ["--target", str(into)]
    for platform in target.platforms:
        command += ["--platform", platform]
    if target.platforms:
        command += ["--implementation", "cp", "--python-version", target.python_version]
    for path in _requirement_files(root):
        command += ["--requirement", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (no shell, no user input)
    if done.returncode == 0:
        return
    errors = _error_lines(done.stderr)
    if _UNREACHABLE.search(done.stderr) and "ResolutionImpossible" not in errors:
        raise PackageError(
            "The package index is out of reach. Building the package needs it once; afterwards it is used "
            f"again only when {LOCK} or {USER_REQUIREMENTS} changes. Check the network and pip's "
            f"configuration, then build again.\n{errors}"
        )
    raise PackageError(
        f"pip could not install the dependencies for Python {target.python_version}. The pins of {LOCK} hold, so "
        f"{USER_REQUIREMENTS} must agree with them; and only wheels are taken, so a distribution that has none for "
        f"this target must be replaced or pinned to a version that has.\n{errors}"
    )


def prune(folder: Path, services: tuple[str, ...]) -> None:
    """Remove what no function reads: other services' models, tests, stubs, scripts, install records.

    A distribution's ``METADATA`` and ``entry_points.txt`` stay, for node types are found by entry points,
    and so do its licences. The shared files of ``botocore/data`` stay: every client reads them.
    """
    _remove(folder / "bin")
    _remove(folder / "boto3" / "examples")
    for data in (folder / "botocore" / "data", folder / "boto3" / "data"):
        for entry in _children(data):
            if entry.is_dir() and entry.name not in services:
                _remove(entry)
    for path in sorted(folder.rglob("*"), reverse=True):
        record = path.parent.suffix == ".dist-info" and path.name in _INSTALL_RECORDS
        if record or path.name in _UNUSED_NAMES or path.suffix in _UNUSED_SUFFIXES:
            _remove(path)


_INSTALL_RECORDS: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json"})
_UNUSED_NAMES: Final = frozenset({"__pycache__", "tests", "examples-1.json"})
_UNUSED_SUFFIXES: Final = frozenset({".pyi", ".pyc"})


def unpacked_bytes(folder: Path) -> int:
    """Size of every file in the folder, in bytes."""
    return sum(path.stat().st_size for path in _files(folder))


def zipped_bytes(folder: Path) -> int:
    """Size of the archive that will be uploaded, in bytes, give or take the CDK's own deflate level."""
    with tempfile.TemporaryFile() as archive:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path in _files(folder):
                zipped.write(path, path.relative_to(folder))
        return archive.tell()


def main(arguments: list[str] | None = None, *, root: Path | None = None, install: Install | None = None) -> int:
    """The command: build, then print the sizes. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description="Build the functions' package.")
    parser.add_argument("--host", action="store_true", help="build for this interpreter, into build/package-host")
    parser.add_argument(
        "--python",
        choices=get_args(PythonVersion),
        default=DEFAULT_PYTHON_VERSION,
        help="Lambda runtime to build for (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    root = root or Path(__file__).resolve().parent.parent
    target = host_target() if options.host else lambda_target(options.python)
    try:
        folder, fetched = build(root, target, install=install)
        report = _report(root, target, folder, fetched=fetched)
    except PackageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(report)
    return 0


def _report(root: Path, target: Target, folder: Path, *, fetched: bool) -> str:
    unpacked = unpacked_bytes(folder)
    if unpacked > UNPACKED_BYTES_MAX:
        raise PackageError(
            f"The package is {_megabytes(unpacked)} unpacked and Lambda takes {_megabytes(UNPACKED_BYTES_MAX)}: "
            f"drop dependencies from {USER_REQUIREMENTS}."
        )
    return (
        f"{folder.relative_to(root)}: Python {target.python_version}, "
        f"{'arm64' if target.platforms else 'this machine'}, "
        f"dependencies {'fetched' if fetched else 'unchanged'}, "
        f"{_megabytes(unpacked)} unpacked, {_megabytes(zipped_bytes(folder))} zipped\n"
    )


def _replace_dependencies(root: Path, target: Target, folder: Path, install: Install) -> None:
    fresh = folder.with_name(f"{folder.name}.new")
    _remove(fresh)
    fresh.mkdir(parents=True)
    install(root, target, fresh)
    prune(fresh, aws_services(root))
    for room in ROOMS:
        if (fresh / room).exists():
            raise PackageError(f"A dependency brings a package named {room!r}, which is one of ours: drop it.")
    _remove(folder)
    fresh.rename(folder)


def _replace_rooms(root: Path, folder: Path) -> None:
    for room in ROOMS:
        source = root / room
        if not source.is_dir():
            raise PackageError(f"The folder {room}/ is missing: the functions cannot run without it.")
        _remove(folder / room)
        shutil.copytree(source, folder / room, ignore=_left_at_home)


def _left_at_home(folder: str, names: list[str]) -> set[str]:
    """What of a room does not ship: caches, hidden files, tests, and the list of its own dependencies."""
    is_requirements = Path(folder).name == "workflows"
    return {
        name
        for name in names
        if name in _UNUSED_NAMES
        or name.startswith(".")
        or name.endswith(".pyc")
        or (is_requirements and name == Path(USER_REQUIREMENTS).name)
    }


def _normalize(folder: Path) -> None:
    """One time for all, and modes that Lambda's own user can read whatever the umask here was."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.suffix == ".so" else 0o644)
        os.utime(path, (_MODIFIED_AT_SECONDS, _MODIFIED_AT_SECONDS))


def _requirement_files(root: Path) -> list[Path]:
    user = root / USER_REQUIREMENTS
    return [root / LOCK, *([user] if user.is_file() else [])]


def _stamp(root: Path, target: Target) -> Path:
    return root / "build" / f"{target.folder}.stamp"


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _error_lines(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line.startswith("ERROR"))


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
