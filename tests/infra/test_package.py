"""The package's recipe on a tiny tree, with no network."""

from __future__ import annotations

import hashlib
import os
import random
import sys
import tomllib
from pathlib import Path

import pytest

from infra import package
from infra.package import (
    PackageError,
    Project,
    Target,
    build,
    dependency_digest,
    host_target,
    is_fresh,
    lambda_target,
    main,
    refresh_package,
)
from infra.packaging.project import AWS_SERVICES, KIT_ROOMS, LOCK
from infra.packaging.pruning import prune
from infra.packaging.wheels import pip_install

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

    def __call__(self, project: Project, target: Target, into: Path) -> None:
        """As `pip_install`."""
        del project, target
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
    """Every file below the folder, by its relative path, but for bytecode, which only some interpreters here make."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and (path.suffix != ".pyc" or path.parent.name != "__pycache__")
    }


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


def tree(root: Path) -> Project:
    """The kit's repository in small: a project that is its own kit."""
    return Project(root=write(root, FILES), kit=root)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with the three rooms and a lock."""
    return tree(tmp_path / "project")


@pytest.fixture
def root(project: Project) -> Path:
    """The project's folder."""
    return project.root


def test_the_package_is_the_dependencies_and_the_rooms(project: Project) -> None:
    """No caches, tests, hidden files or requirement lists: only what a function may import or read."""
    folder, fetched = build(project, lambda_target(), install=Installer())
    assert fetched
    assert folder == project.root / "build" / "package"
    assert names(folder) == {"one.py", "one-1.dist-info/METADATA"} | SHIPPED


def test_dependencies_are_fetched_once_and_rooms_always(project: Project) -> None:
    """A second build sees today's code, drops what was deleted, and needs no installer."""
    install = Installer()
    build(project, lambda_target(), install=install)
    (project.root / "engine/__init__.py").write_text("ENGINE = 2\n", encoding="utf-8")
    (project.root / "workflows/approval.json").unlink()
    folder, fetched = build(project, lambda_target(), install=install)
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
def test_what_names_a_dependency_makes_them_stale(project: Project, name: str, text: str) -> None:
    """Lock, the user's requirements, services: each change fetches again and drops the old ones."""
    build(project, lambda_target(), install=Installer())
    write(project.root, {name: text})
    assert not is_fresh(project, lambda_target())
    folder, fetched = build(project, lambda_target(), install=Installer({"new.py": ""}))
    assert fetched
    assert names(folder) == {"new.py"} | SHIPPED


def test_each_runtime_has_dependencies_of_its_own(project: Project) -> None:
    """Wheels of one Python do not load in another, nor the host's on Lambda."""
    targets = [lambda_target("3.13"), lambda_target("3.14"), host_target()]
    assert len({dependency_digest(project, target) for target in targets}) == 3


def test_equal_input_gives_an_equal_package(project: Project, tmp_path: Path) -> None:
    """Whatever the place, the umask and the clock: so the asset's hash is equal too."""
    first, _ = build(project, lambda_target(), install=Installer())
    previous = os.umask(0o077)
    try:
        other, _ = build(tree(tmp_path / "other"), lambda_target(), install=Installer())
    finally:
        os.umask(previous)
    assert fingerprint(first) == fingerprint(other)
    assert {path.stat().st_mode & 0o777 for path in other.rglob("*.py")} == {0o644}


def test_a_failed_fetch_leaves_no_package_that_looks_whole(project: Project) -> None:
    """The next build starts over."""
    build(project, lambda_target(), install=Installer())
    write(project.root, {"requirements-lambda.txt": "one==2\n"})

    def broken(project: Project, target: Target, into: Path) -> None:
        write(into, {"half.py": ""})
        raise PackageError(f"no {project} for {target}")

    with pytest.raises(PackageError):
        build(project, lambda_target(), install=broken)
    assert not is_fresh(project, lambda_target())
    folder, _ = build(project, lambda_target(), install=Installer())
    assert "half.py" not in names(folder)


def test_a_dependency_cannot_take_a_rooms_name(project: Project) -> None:
    """It would be overwritten without a word, or overwrite us."""
    with pytest.raises(PackageError, match="'engine'"):
        build(project, lambda_target(), install=Installer({"engine/__init__.py": ""}))


def test_a_missing_room_is_named(project: Project) -> None:
    """Half a package would fail on Lambda, at import."""
    (project.root / "dispatcher").rename(project.root / "elsewhere")
    with pytest.raises(PackageError, match="dispatcher/"):
        build(project, lambda_target(), install=Installer())


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
        "aws_lambda_powertools/event_handler/openapi/swagger_ui/html.py",
        "aws_xray_sdk/ext/httplib/patch.py",
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
        "one/native.c",
        "aws_lambda_powertools/event_handler/openapi/swagger_ui/swagger-ui-bundle.min.js",
        "aws_xray_sdk/ext/django/middleware.py",
        "wrapt-stubs/__init__.pyi",
    }
    folder = write(tmp_path, dict.fromkeys(kept | dropped, ""))
    prune(folder, (*AWS_SERVICES, "ses"))
    assert names(folder) == kept


def test_a_workflows_own_services_are_added_to_the_kits(project: Project) -> None:
    """Named in pyproject.toml, so that their models are not pruned."""
    kits = project.aws_services
    assert set(kits) == set(AWS_SERVICES)
    write(project.root, {"pyproject.toml": '[tool.refluxo.package]\naws-services = ["ses", "sqs"]\n'})
    assert project.aws_services == tuple(sorted((*kits, "ses")))


def test_synth_refreshes_the_rooms_and_fetches_nothing(project: Project) -> None:
    """What is deployed is the code in the tree, not that of the last ``make package``."""
    build(project, lambda_target(), install=Installer())
    write(project.root, {"engine/new.py": ""})
    assert "engine/new.py" in names(refresh_package(project.root, kit=project.kit))


def test_synth_without_a_package_names_the_command(project: Project) -> None:
    """One sentence, with the version where it is not the default."""
    with pytest.raises(PackageError, match=r"run `python -m infra\.package` first"):
        refresh_package(project.root, kit=project.kit)
    with pytest.raises(PackageError, match=r"run `python -m infra\.package --python 3\.14` first"):
        refresh_package(project.root, "3.14", kit=project.kit)
    write(project.root, {"Makefile": "package:\n"})
    with pytest.raises(PackageError, match="run `make package` first"):
        refresh_package(project.root, kit=project.kit)


@pytest.fixture
def pip_offline(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The real pip, cut off from whatever is configured on this machine."""
    # One retry: pip tells why a connection failed only when it tries again.
    for name, value in {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "1", "PIP_FIND_LINKS": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    return monkeypatch


def test_an_index_out_of_reach_is_told_as_such(
    project: Project, tmp_path: Path, pip_offline: pytest.MonkeyPatch
) -> None:
    """The sentence says when the network is needed, not only that a download failed."""
    pip_offline.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # discard: nothing listens there
    with pytest.raises(PackageError, match="package index is out of reach"):
        pip_install(project, lambda_target(), tmp_path / "into")


def test_a_missing_wheel_is_told_as_such(project: Project, tmp_path: Path, pip_offline: pytest.MonkeyPatch) -> None:
    """It names the runtime and the way out."""
    pip_offline.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(PackageError, match=r"for Python 3\.13\..*only wheels are taken"):
        pip_install(project, lambda_target(), tmp_path / "into")


def test_the_command_prints_sizes(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """One line: what was built, for what, how large."""
    assert main([], project=project, install=Installer()) == 0
    assert capsys.readouterr().out == (
        "build/package: Python 3.13, arm64, dependencies fetched, 0.0 MB unpacked, 0.0 MB zipped\n"
    )
    assert main(["--host"], project=project, install=Installer()) == 0
    assert capsys.readouterr().out.startswith("build/package-host: Python 3.")


@pytest.mark.parametrize(
    ("pyproject", "words"),
    [
        ("[tool.refluxo.package]\naws-services = 'ses'\n", "aws-services is 'ses'"),
        ("[tool.refluxo.package]\nzipped-megabytes-max = 0\n", "zipped-megabytes-max is 0"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_with_what_to_give(
    project: Project, capsys: pytest.CaptureFixture[str], pyproject: str, words: str
) -> None:
    """Before or after the build, never as a traceback."""
    write(project.root, {"pyproject.toml": pyproject})
    assert main([], project=project, install=Installer()) == 1
    assert words in capsys.readouterr().err


def test_the_command_fails_in_plain_words(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where Lambda would refuse the package for its size."""
    monkeypatch.setattr(package, "UNPACKED_BYTES_MAX", 10)
    assert main([], project=project, install=Installer()) == 1
    assert "drop dependencies from workflows/requirements.txt" in capsys.readouterr().err


def test_an_archive_over_the_limit_is_an_error_until_it_is_allowed(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twelve megabytes, for cold starts' sake; a project that needs more says so, and then it is its own affair."""
    noise = random.Random(1).randbytes(12_100_000)  # noqa: S311  (what no archive makes smaller)

    def heavy(project: Project, target: Target, into: Path) -> None:
        Installer()(project, target, into)
        (into / "noise.bin").write_bytes(noise)

    assert main([], project=project, install=heavy) == 1
    assert "12.1 MB zipped, over the 12.0 MB" in capsys.readouterr().err
    write(project.root, {"pyproject.toml": "[tool.refluxo.package]\nzipped-megabytes-max = 13\n"})
    assert main([], project=project, install=heavy) == 0


@pytest.fixture
def apart(tmp_path: Path) -> Project:
    """A user's project, and a kit that is installed elsewhere as a wheel lays it out: its lock inside infra."""
    kit = {name: text for name, text in FILES.items() if name.startswith(("engine/", "dispatcher/"))}
    kit["infra/requirements-lambda.txt"] = FILES["requirements-lambda.txt"]
    kit["workflows/__init__.py"] = "raise AssertionError\n"
    user = {name: text for name, text in FILES.items() if name.startswith("workflows/")}
    return Project(root=write(tmp_path / "mine", user), kit=write(tmp_path / "site-packages", kit))


def test_a_users_project_ships_its_own_room_and_the_installed_kits(apart: Project) -> None:
    """The kit's rooms and lock from where it is installed, `workflows` and its requirements from the project."""
    folder, _ = build(apart, lambda_target(), install=Installer())
    assert folder == apart.root / "build" / "package"
    assert names(folder) == {"one.py", "one-1.dist-info/METADATA"} | SHIPPED
    assert (folder / "workflows/__init__.py").read_text(encoding="utf-8") == "registry = 1\n"
    assert apart.requirement_files == (
        apart.kit / "infra/requirements-lambda.txt",
        apart.root / "workflows/requirements.txt",
    )


def test_another_version_of_the_kit_makes_the_dependencies_stale(apart: Project) -> None:
    """Its lock is another; its code alone is copied without a fetch."""
    build(apart, lambda_target(), install=Installer())
    write(apart.kit, {"engine/__init__.py": "ENGINE = 2\n"})
    assert is_fresh(apart, lambda_target())
    write(apart.kit, {"infra/requirements-lambda.txt": "one==2\n"})
    assert not is_fresh(apart, lambda_target())


def test_a_kit_without_its_lock_is_told_as_such(apart: Project) -> None:
    """A wheel that was made without its data cannot say what ships."""
    (apart.kit / "infra/requirements-lambda.txt").unlink()
    with pytest.raises(PackageError, match=r"has no requirements-lambda\.txt"):
        build(apart, lambda_target(), install=Installer())


def test_the_wheel_has_what_a_project_apart_needs() -> None:
    """The rooms of the kit, infra itself, and the lock inside it, where `Project` looks."""
    document = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    wheel = document["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*KIT_ROOMS, "infra"} <= set(wheel["packages"])
    assert wheel["force-include"][LOCK] == f"infra/{LOCK}"


def test_the_kit_is_where_this_code_is(root: Path) -> None:
    """Unless told otherwise: its rooms are importable beside it."""
    assert (Project(root=root).kit / "dispatcher/handler.py").is_file()


def test_what_this_interpreter_can_compile_it_does(project: Project) -> None:
    """Dependencies and rooms, in a way that needs no equal time of the source, and names its place on Lambda."""
    folder, _ = build(project, host_target(), install=Installer())
    tag = sys.implementation.cache_tag
    bytecode = {path.relative_to(folder).as_posix() for path in folder.rglob("*.pyc")}
    assert bytecode == {
        f"__pycache__/one.{tag}.pyc",
        f"engine/__pycache__/__init__.{tag}.pyc",
        f"dispatcher/__pycache__/handler.{tag}.pyc",
        f"workflows/__pycache__/__init__.{tag}.pyc",
    }
    for name in bytecode:
        content = (folder / name).read_bytes()
        assert int.from_bytes(content[4:8], "little") == 0b01  # by hash, unchecked (PEP 552)
        assert b"/var/task/" in content
        assert str(project.root).encode() not in content


def test_bytecode_is_equal_too(project: Project, tmp_path: Path) -> None:
    """Built twice in two places; and a module that is no Python ships as it is."""
    installed = INSTALLED | {"two.py": "KINDS = {'a', 'b', 'c'}\n" * 20, "template.py": "{{ not python }}"}
    first, _ = build(project, host_target(), install=Installer(installed))
    other, _ = build(tree(tmp_path / "other"), host_target(), install=Installer(installed))
    assert fingerprint(first) == fingerprint(other)
    assert (first / "template.py").is_file()


def test_another_interpreters_package_has_no_bytecode(project: Project) -> None:
    """What this one writes, that one would not read."""
    other = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    folder, _ = build(project, lambda_target(other), install=Installer())
    assert list(folder.rglob("*.pyc")) == []
