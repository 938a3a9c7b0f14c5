"""The CDK's entry point, run as a script."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from infra import assembly

APP = Path(__file__).resolve().parent.parent.parent / "app.py"


def test_without_a_package_it_ends_with_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the command to run."""
    (tmp_path / "requirements-lambda.txt").write_text("", encoding="utf-8")
    monkeypatch.setattr(assembly, "ROOT", tmp_path)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(APP))
    assert ended.value.code == (
        "The Lambda package for Python 3.13 is missing or out of date: run `make package` first."
    )
