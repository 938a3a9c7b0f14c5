"""The package's recipe on a tiny tree, with no network."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from infra import package
from infra.package import (
    PackageError,
    Target,
    aws_services,
    build,
    dependency_digest,
    host_target,
    is_fresh,
    lambda_target,
    main,
    pip_install,
    prune,
    refresh_package,
)

FILES = {
    "requirements-lambda.txt": "one==1\n",
    "engine/__init__.py": "ENGINE = 1\n",
    "engine/__pycache__/stale.pyc": "x",
    "dispatcher/handler.py": "HANDLER = 1\n",
    "dispatcher/tests/test_handler.py": "x",
    "workflows/__init__.py": "registry = 1\n",
    "workflows/approval.json": "{}\n",
    "workflows/requirements.txt": "two==2\n",
    "workflows/.secrets": "x",
}

SHIPPED = {
    "engine/__init__.py",
    "dispatcher/handler.py",
    "workflows/__init__.py",
    "workflows/approval.json",
}

INSTALLED = {
    "one.py": "ONE = 1\n",
    "one-1.dist-info/METADATA": "Name: one\n",
    "one-1.dist-info/RECORD": "x",
}


class Installer:
    """Stands in for pip: writes the same files each time, and counts."""

    def __init__(self, files: dict[str, str] | None = None) -> None:
        self.files = INSTALLED if files is None else files
        self.calls = 0

    def __call__(self, root: Path, target: Target, into: Path) -> None:
        """As `pip_install`."""
        del root, target
        self.calls += 1
        write(into, self.files)


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write the files below the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def names(folder: Path) -> set[str]:
    """Every file below the folder, by its relative path."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def fingerprint(folder: Path) -> list[tuple[str, int, float, str]]:
    """Path, mode, time and content of all that is below the folder."""
    return [
        (
            path.relative_to(folder).as_posix(),
            path.stat().st_mode,
            path.stat().st_mtime,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the three rooms and a lock."""
    return write(tmp_path / "project", FILES)


def test_the_package_is_the_dependencies_and_the_rooms(root: Path) -> None:
    """No caches, tests, hidden files or requirement lists: only what a function may import or read."""
    folder, fetched = build(root, lambda_target(), install=Installer())
    assert fetched
    assert folder == root / "build" / "package"
    assert names(folder) == {"one.py", "one-1.dist-info/METADATA"} | SHIPPED


def test_dependencies_are_fetched_once_and_rooms_always(root: Path) -> None:
    """A second build sees today's code, drops what was deleted, and needs no installer."""
    install = Installer()
    build(root, lambda_target(), install=install)
    (root / "engine/__init__.py").write_text("ENGINE = 2\n", encoding="utf-8")
    (root / "workflows/approval.json").unlink()
    folder, fetched = build(root, lambda_target(), install=install)
    assert (install.calls, fetched) == (1, False)
    assert (folder / "engine/__init__.py").read_text(encoding="utf-8") == "ENGINE = 2\n"
    assert names(folder) == ({"one.py", "one-1.dist-info/METADATA"} | SHIPPED) - {"workflows/approval.json"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements-lambda.txt", "one==2\n"),
        ("workflows/requirements.txt", "two==3\n"),
        ("pyproject.toml", '[tool.refluxo.package]\naws-services = ["ses"]\n'),
    ],
)
def test_what_names_a_dependency_makes_them_stale(root: Path, name: str, text: str) -> None:
    """Lock, the user's requirements, services: each change fetches again and drops the old ones."""
    build(root, lambda_target(), install=Installer())
    write(root, {name: text})
    assert not is_fresh(root, lambda_target())
    folder, fetched = build(root, lambda_target(), install=Installer({"new.py": ""}))
    assert fetched
    assert names(folder) == {"new.py"} | SHIPPED


def test_each_runtime_has_dependencies_of_its_own(root: Path) -> None:
    """Wheels of one Python do not load in another, nor the host's on Lambda."""
    targets = [lambda_target("3.13"), lambda_target("3.14"), host_target()]
    assert len({dependency_digest(root, target) for target in targets}) == 3


def test_equal_input_gives_an_equal_package(root: Path, tmp_path: Path) -> None:
    """Whatever the place, the umask and the clock: so the asset's hash is equal too."""
    first, _ = build(root, lambda_target(), install=Installer())
    previous = os.umask(0o077)
    try:
        other, _ = build(write(tmp_path / "other", FILES), lambda_target(), install=Installer())
    finally:
        os.umask(previous)
    assert fingerprint(first) == fingerprint(other)
    assert {path.stat().st_mode & 0o777 for path in other.rglob("*.py")} == {0o644}


def test_a_failed_fetch_leaves_no_package_that_looks_whole(root: Path) -> None:
    """The next build starts over."""
    build(root, lambda_target(), install=Installer())
    write(root, {"requirements-lambda.txt": "one==2\n"})

    def broken(root: Path, target: Target, into: Path) -> None:
        write(into, {"half.py": ""})
        raise PackageError(f"no {root} for {target}")

    with pytest.raises(PackageError):
        build(root, lambda_target(), install=broken)
    assert not is_fresh(root, lambda_target())
    folder, _ = build(root, lambda_target(), install=Installer())
    assert "half.py" not in names(folder)


def test_a_dependency_cannot_take_a_rooms_name(root: Path) -> None:
    """It would be overwritten without a word, or overwrite us."""
    with pytest.raises(PackageError, match="'engine'"):
        build(root, lambda_target(), install=Installer({"engine/__init__.py": ""}))


def test_a_missing_room_is_named(root: Path) -> None:
    """Half a package would fail on Lambda, at import."""
    (root / "dispatcher").rename(root / "elsewhere")
    with pytest.raises(PackageError, match="dispatcher/"):
        build(root, lambda_target(), install=Installer())


def test_pruning_keeps_what_is_read_and_drops_the_rest(tmp_path: Path) -> None:
    """Botocore's shared files and the services used stay, as do entry points, metadata and licences."""
    kept = {
        "botocore/data/endpoints.json",
        "botocore/data/_retry.json",
        "botocore/data/partitions.json",
        "botocore/data/sdk-default-configuration.json",
        "botocore/data/sqs/2012-11-05/service-2.json.gz",
        "botocore/data/ses/2010-12-01/service-2.json.gz",
        "boto3/data/sqs/resources-1.json",
        "boto3/session.py",
        "one-1.dist-info/METADATA",
        "one-1.dist-info/entry_points.txt",
        "one-1.dist-info/licenses/LICENSE",
        "one/py.typed",
        "one/RECORD",
        "one/native.cpython-313-aarch64-linux-gnu.so",
        "one/testing/tools.py",
    }
    dropped = {
        "bin/tool",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "botocore/data/sqs/2012-11-05/examples-1.json",
        "boto3/data/ec2/resources-1.json",
        "boto3/examples/s3.rst",
        "one-1.dist-info/RECORD",
        "one-1.dist-info/INSTALLER",
        "one-1.dist-info/direct_url.json",
        "one/tests/deep/test_one.py",
        "one/__pycache__/one.cpython-313.pyc",
        "one/stub.pyi",
    }
    folder = write(tmp_path, dict.fromkeys(kept | dropped, ""))
    prune(folder, (*package.AWS_SERVICES, "ses"))
    assert names(folder) == kept


def test_a_workflows_own_services_are_added_to_the_kits(root: Path) -> None:
    """Named in pyproject.toml, so that their models are not pruned."""
    assert aws_services(root) == ("cloudwatch", "dynamodb", "s3", "secretsmanager", "sqs")
    write(root, {"pyproject.toml": '[tool.refluxo.package]\naws-services = ["ses", "sqs"]\n'})
    assert aws_services(root) == ("cloudwatch", "dynamodb", "s3", "secretsmanager", "ses", "sqs")


def test_synth_refreshes_the_rooms_and_fetches_nothing(root: Path) -> None:
    """What is deployed is the code in the tree, not that of the last ``make package``."""
    build(root, lambda_target(), install=Installer())
    write(root, {"engine/new.py": ""})
    assert "engine/new.py" in names(refresh_package(root))


def test_synth_without_a_package_names_the_command(root: Path) -> None:
    """One sentence, with the version where it is not the default."""
    with pytest.raises(PackageError, match="run `make package` first"):
        refresh_package(root)
    with pytest.raises(PackageError, match=r"run `python -m infra\.package --python 3\.14` first"):
        refresh_package(root, "3.14")


@pytest.fixture
def pip_offline(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The real pip, cut off from whatever is configured on this machine."""
    # One retry: pip tells why a connection failed only when it tries again.
    for name, value in {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "1", "PIP_FIND_LINKS": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    return monkeypatch


def test_an_index_out_of_reach_is_told_as_such(root: Path, tmp_path: Path, pip_offline: pytest.MonkeyPatch) -> None:
    """The sentence says when the network is needed, not only that a download failed."""
    pip_offline.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # discard: nothing listens there
    with pytest.raises(PackageError, match="package index is out of reach"):
        pip_install(root, lambda_target(), tmp_path / "into")


def test_a_missing_wheel_is_told_as_such(root: Path, tmp_path: Path, pip_offline: pytest.MonkeyPatch) -> None:
    """It names the runtime and the way out."""
    pip_offline.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PackageError, match=r"for Python 3\.13\..*only wheels are taken"):
        pip_install(root, lambda_target(), tmp_path / "into")


def test_the_command_prints_sizes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line: what was built, for what, how large."""
    assert main([], root=root, install=Installer()) == 0
    assert capsys.readouterr().out == (
        "build/package: Python 3.13, arm64, dependencies fetched, 0.0 MB unpacked, 0.0 MB zipped\n"
    )
    assert main(["--host"], root=root, install=Installer()) == 0
    assert capsys.readouterr().out.startswith("build/package-host: Python 3.")


def test_the_command_fails_in_plain_words(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Lambda would refuse the package for its size."""
    monkeypatch.setattr(package, "UNPACKED_BYTES_MAX", 10)
    assert main([], root=root, install=Installer()) == 1
    assert "drop dependencies from workflows/requirements.txt" in capsys.readouterr().err
