"""The lock of what ships: closed, pinned, and free of what nobody asked for."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent.parent

LAMBDA = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux", "extra": ""}


def requirements(name: str) -> list[Requirement]:
    """The lines of a requirements file, comments left out."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def needs(name: str, version: Version) -> list[Requirement] | None:
    """What a distribution requires on Lambda, as told by the copy installed here; None if it is another."""
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return None
    if Version(installed.version) != version:
        return None
    found = [Requirement(line) for line in installed.requires or []]
    return [need for need in found if need.marker is None or need.marker.evaluate(LAMBDA)]


def pins() -> dict[str, Version]:
    """Canonical name to the version locked."""
    found = {}
    for requirement in requirements("requirements-lambda.txt"):
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", requirement
        found[str(canonicalize_name(requirement.name))] = Version(specifier.version)
    return found


def test_what_ships_is_what_the_distribution_needs() -> None:
    """A dependency added to pyproject.toml and not here would be missed on Lambda, at import."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["aws"]]
    assert {str(need) for need in requirements("requirements-lambda.in")} == {str(Requirement(need)) for need in needed}


def test_the_lock_is_closed() -> None:
    """Whatever a locked distribution needs is locked too, at a version that it takes."""
    locked = pins()
    wanted = requirements("requirements-lambda.in")
    wanted += [need for name, version in locked.items() for need in needs(name, version) or []]
    for need in wanted:
        assert need.specifier.contains(locked[str(canonicalize_name(need.name))]), need


def test_nothing_is_locked_that_nobody_needs() -> None:
    """A left-over would ship for ever."""
    locked = pins()
    told = {name: needs(name, version) for name, version in locked.items()}
    if None in told.values():
        pytest.skip("this environment has moved on from the lock, so it cannot tell what the lock needs")
    wanted = [*requirements("requirements-lambda.in"), *(need for n in told.values() for need in n or [])]
    assert set(locked) == {str(canonicalize_name(need.name)) for need in wanted}
