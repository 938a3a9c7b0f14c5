"""The package for Lambda and the one for this machine come of one recipe: what is proven of one holds of the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.package import Project, build, host_target, lambda_target
from infra.packaging.files import unpacked_bytes, zipped_bytes
from infra.packaging.project import INSTALLED_KIT
from tests.infra.host_package import alone

_TAG = re.compile(r"\.(?:cpython-\d+[^.]*|abi3)(?=\.so$)")


@pytest.fixture(scope="module")
def folders() -> tuple[Path, Path]:
    """Lambda's and the host's, brought up to date; only when the lock has changed does that need a package index."""
    project = Project(root=INSTALLED_KIT)
    with alone():
        return build(project, lambda_target())[0], build(project, host_target())[0]


def files(folder: Path) -> set[str]:
    """Relative paths, native modules without their platform's tag; no bytecode, for it is some interpreters' alone."""
    return {
        _TAG.sub("", path.relative_to(folder).as_posix())
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_both_have_the_same_files(folders: tuple[Path, Path]) -> None:
    """But for native ones, which differ in what they are called and what is in them."""
    on_lambda, on_host = folders
    assert files(on_lambda) == files(on_host)


def test_all_but_native_files_are_equal(folders: tuple[Path, Path]) -> None:
    """What is tested here is what is deployed, byte by byte; a distribution's METADATA may tell of its platform."""
    on_lambda, on_host = folders
    differing = {
        name
        for name in files(on_lambda)
        if not name.endswith(".so") and (on_lambda / name).read_bytes() != (on_host / name).read_bytes()
    }
    assert {name for name in differing if ".dist-info/" not in name} == set()


def test_natives_are_lambdas_own(folders: tuple[Path, Path]) -> None:
    """ELF files for arm64, machine 183."""
    on_lambda, _ = folders
    natives = list(on_lambda.rglob("*.so"))
    assert natives
    assert {int.from_bytes(path.read_bytes()[18:20], "little") for path in natives} == {183}


def test_both_are_small(folders: tuple[Path, Path]) -> None:
    """Twelve megabytes zipped, compiled or not."""
    project = Project(root=INSTALLED_KIT)
    for folder in folders:
        assert zipped_bytes(folder) < project.zipped_bytes_max
        assert unpacked_bytes(folder) < 40_000_000
