"""``refluxo new``: the project it makes is whole, and works."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.project import CannotCreate, create_project, installed_kit

ROOT = Path(__file__).resolve().parents[2]


def in_project(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in a fresh interpreter, in the project's folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(  # noqa: S603  (our own commands)
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_its_tests_pass(tmp_path: Path) -> None:
    """With nothing but the kit installed, and on the project's own registry."""
    create_project("my-shop", tmp_path)
    result = in_project(tmp_path / "my-shop", "pytest", "-q", "-p", "no:cacheprovider")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 passed" in result.stdout


def test_its_definition_is_valid(tmp_path: Path) -> None:
    """As the README in it says to check."""
    create_project("my-shop", tmp_path)
    result = in_project(tmp_path / "my-shop", "cli.main", "validate", "workflows/definitions/signup.json")
    assert result.returncode == 0, result.stdout + result.stderr


def test_its_demo_goes_through(tmp_path: Path) -> None:
    """The command of its Makefile: the run starts, waits, is answered, completes. The kit's examples are not here."""
    create_project("my-shop", tmp_path)
    folder = tmp_path / "my-shop"
    recipe = next(line for line in (folder / "Makefile").read_text("utf-8").splitlines() if "refluxo demo" in line)
    words = shlex.split(recipe)
    result = in_project(folder, "cli.main", *words[words.index("demo") :], "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    states = [json.loads(line) for line in result.stdout.splitlines()]
    assert "paused" in [state["status"] for state in states]
    assert states[-1]["output"]["to"] == "ana@example.com"
    refused = in_project(folder, "cli.main", "demo")
    assert (refused.returncode, "refluxo demo NAME" in refused.stderr) == (2, True)


def test_nothing_is_left_to_fill_in(tmp_path: Path) -> None:
    """The name and the kit are written everywhere, and the files that were renamed have their own names."""
    files = create_project("my-shop", tmp_path, kit="== 9.9.9")
    assert {".gitignore", ".env.example", "cdk.json", "constraints.txt", "app.py", "Makefile"} <= {
        str(path) for path in files
    }
    texts = {path: (tmp_path / "my-shop" / path).read_text("utf-8") for path in files}
    assert not [path for path, text in texts.items() if "{{name}}" in text or "{{kit}}" in text]
    assert "KIT ?= == 9.9.9\n" in texts[Path("Makefile")]
    assert "{{ run.input.email }}" in texts[Path("workflows/definitions/signup.json")]


@pytest.mark.parametrize(
    "name", ["", "My-Shop", "my_shop", "../shop", "shop/", "9shop", "-shop", "shop-", "s" * 65, "ça"]
)
def test_a_name_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    """It says what a name is made of, and writes nothing."""
    with pytest.raises(CannotCreate, match="lower case"):
        create_project(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A folder that is there stays as it is."""
    (tmp_path / "shop").mkdir()
    with pytest.raises(CannotCreate, match="there already"):
        create_project("shop", tmp_path)
    assert list((tmp_path / "shop").iterdir()) == []
    with pytest.raises(CannotCreate, match="no folder"):
        create_project("shop", tmp_path / "nowhere")


def test_the_kit_is_the_one_installed_here() -> None:
    """A checkout by its address, a release by its version."""
    assert installed_kit().startswith(("@ file://", "== ", "@ git+"))
