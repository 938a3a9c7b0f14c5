"""A .env file for the user's code."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.env_file import EnvFileUnusable, load_env_file


def test_the_environments_own_go_first(tmp_path: Path) -> None:
    """What is there already stays; a name without a value is none."""
    file = tmp_path / "mine.env"
    file.write_text("# secrets\nAPI_KEY='from the file'\nexport MODE=file\nEMPTY=\nNAME_ALONE\n")
    environ = {"MODE": "real"}
    assert load_env_file(file, environ) == 2
    assert environ == {"MODE": "real", "API_KEY": "from the file", "EMPTY": ""}


def test_the_default_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ``.env`` in the current folder."""
    monkeypatch.chdir(tmp_path)
    environ: dict[str, str] = {}
    assert load_env_file(None, environ) == 0
    Path(".env").write_text("A=1\n")
    assert load_env_file(None, environ) == 1
    assert environ == {"A": "1"}


@pytest.mark.parametrize("name", ["nowhere.env", ".", "binary.env"])
def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path, name: str) -> None:
    """Missing, a folder, no text: told with its name, and never with what is in it."""
    (tmp_path / "binary.env").write_bytes(b"KEY=hush\xff\n")
    environ: dict[str, str] = {}
    with pytest.raises(EnvFileUnusable) as raised:
        load_env_file(tmp_path / name, environ)
    assert str(tmp_path / name) in str(raised.value)
    assert "hush" not in str(raised.value)
    assert environ == {}
