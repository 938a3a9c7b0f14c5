"""Builds the one package that every function runs: ``python -m infra.package``, with no Docker.

Owns the recipe: locked wheels for the target runtime, pruned, compiled where the interpreter here can, and the rooms
that ship beside them. Equal input gives an equal folder, so an equal asset hash. Dependencies are fetched only when
what names them has changed (lock, ``workflows/requirements.txt``, services, runtime, this recipe); the rooms are
always fresh.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Final, get_args

from infra.packaging.bytecode import compile_folders
from infra.packaging.errors import PackageError
from infra.packaging.files import children, normalize, remove, unpacked_bytes, zipped_bytes
from infra.packaging.project import INSTALLED_KIT, ROOMS, USER_REQUIREMENTS, USER_ROOM, Project
from infra.packaging.pruning import UNUSED_NAMES, prune
from infra.packaging.target import DEFAULT_PYTHON_VERSION, PythonVersion, Target, host_target, lambda_target
from infra.packaging.wheels import Install, pip_install

__all__ = [
    "DEFAULT_PYTHON_VERSION",
    "UNPACKED_BYTES_MAX",
    "PackageError",
    "Project",
    "PythonVersion",
    "Target",
    "build",
    "dependency_digest",
    "host_target",
    "is_fresh",
    "lambda_target",
    "main",
    "refresh_package",
]

UNPACKED_BYTES_MAX: Final = 262_144_000
"""A function's code, unpacked: 250 MB (AWS Lambda quotas)."""


def build(project: Project, target: Target, *, install: Install = pip_install) -> tuple[Path, bool]:
    """Bring ``build/<folder>`` up to date.

    Returns:
        The folder, and whether dependencies had to be fetched.

    Raises:
        PackageError: the index is out of reach, a wheel is missing, or a room is.
    """
    folder = project.root / "build" / target.folder
    rooms = project.rooms
    fetched = not is_fresh(project, target)
    if fetched:
        _stamp(project, target).unlink(missing_ok=True)
        _replace_dependencies(project, target, folder, install)
    for room, source in rooms.items():
        remove(folder / room)
        shutil.copytree(source, folder / room, ignore=_left_at_home)
    if target.matches_this_python:
        compile_folders([folder / room for room in rooms], package=folder)
    normalize(folder)
    _stamp(project, target).write_text(dependency_digest(project, target), encoding="utf-8")
    return folder, fetched


def refresh_package(root: Path, python_version: str = DEFAULT_PYTHON_VERSION, *, kit: Path = INSTALLED_KIT) -> Path:
    """The Lambda package with today's rooms, made without a network from the dependencies already built.

    So ``cdk deploy`` never ships an older state of the code than the one it is run in.

    Args:
        root: the project's folder.
        python_version: of the runtime.
        kit: as Project has it.

    Raises:
        PackageError: dependencies were never built, or for another lock or runtime; names the command.
    """
    project, target = Project(root=root, kit=kit), lambda_target(python_version)
    if not is_fresh(project, target):
        command = (
            project.build_command
            if python_version == DEFAULT_PYTHON_VERSION
            else f"python -m infra.package --python {python_version}"
        )
        raise PackageError(
            f"The Lambda package for Python {python_version} is missing or out of date: run `{command}` first."
        )
    return build(project, target)[0]


def is_fresh(project: Project, target: Target) -> bool:
    """Whether the dependencies in ``build/<folder>`` are those that the project names today."""
    stamp = _stamp(project, target)
    return (
        stamp.is_file()
        and (project.root / "build" / target.folder).is_dir()
        and stamp.read_text(encoding="utf-8") == dependency_digest(project, target)
    )


def dependency_digest(project: Project, target: Target) -> str:
    """SHA-256 of all that decides what the dependencies are, this recipe included."""
    bytecode = importlib.util.MAGIC_NUMBER if target.matches_this_python else b""
    recipe = [Path(__file__), *sorted(Path(__file__).parent.glob("packaging/*.py"))]
    digest = hashlib.sha256()
    for part in (
        *(path.read_bytes() for path in project.requirement_files),
        repr(project.aws_services).encode(),
        repr((target, sysconfig.get_platform() if not target.platforms else "", bytecode)).encode(),
        *(path.read_bytes() for path in recipe),
    ):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def main(arguments: list[str] | None = None, *, project: Project | None = None, install: Install = pip_install) -> int:
    """The command: build for the project in this folder, then print the sizes. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description="Build the functions' package.")
    parser.add_argument("--host", action="store_true", help="build for this interpreter, into build/package-host")
    parser.add_argument(
        "--python",
        choices=get_args(PythonVersion),
        default=DEFAULT_PYTHON_VERSION,
        help="Lambda runtime to build for (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    project = project or Project(root=Path.cwd())
    target = host_target() if options.host else lambda_target(options.python)
    try:
        folder, fetched = build(project, target, install=install)
        report = _report(project, target, folder, fetched=fetched)
    except PackageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(report)
    return 0


def _report(project: Project, target: Target, folder: Path, *, fetched: bool) -> str:
    unpacked, zipped = unpacked_bytes(folder), zipped_bytes(folder)
    if unpacked > UNPACKED_BYTES_MAX:
        raise PackageError(
            f"The package is {_megabytes(unpacked)} unpacked and Lambda takes {_megabytes(UNPACKED_BYTES_MAX)}: "
            f"drop dependencies from {USER_REQUIREMENTS}."
        )
    if zipped > project.zipped_bytes_max:
        raise PackageError(
            f"The package is {_megabytes(zipped)} zipped, over the {_megabytes(project.zipped_bytes_max)} that it may "
            f"be: drop dependencies from {USER_REQUIREMENTS}, or allow more in pyproject.toml, "
            "[tool.refluxo.package] zipped-megabytes-max; each cold start loads it."
        )
    return (
        f"{folder.relative_to(project.root)}: Python {target.python_version}, {target.machine}, "
        f"{'byte-compiled, ' if target.matches_this_python else ''}"
        f"dependencies {'fetched' if fetched else 'unchanged'}, "
        f"{_megabytes(unpacked)} unpacked, {_megabytes(zipped)} zipped\n"
    )


def _replace_dependencies(project: Project, target: Target, folder: Path, install: Install) -> None:
    fresh = folder.with_name(f"{folder.name}.new")
    remove(fresh)
    fresh.mkdir(parents=True)
    install(project, target, fresh)
    prune(fresh, project.aws_services)
    for room in ROOMS:
        if (fresh / room).exists():
            raise PackageError(f"A dependency brings a package named {room!r}, which is one of ours: drop it.")
    if target.matches_this_python:
        compile_folders(children(fresh), package=fresh)
    remove(folder)
    fresh.rename(folder)


def _left_at_home(folder: str, names: list[str]) -> set[str]:
    """What of a room does not ship: caches, hidden files, tests, and the list of its own dependencies."""
    is_user_room = Path(folder).name == USER_ROOM
    return {
        name
        for name in names
        if name in UNUSED_NAMES
        or name.startswith(".")
        or name.endswith(".pyc")
        or (is_user_room and name == Path(USER_REQUIREMENTS).name)
    }


def _stamp(project: Project, target: Target) -> Path:
    return project.root / "build" / f"{target.folder}.stamp"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
