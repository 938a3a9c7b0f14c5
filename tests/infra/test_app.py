"""The CDK's entry point, run as a script."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import socket
import sysconfig
from pathlib import Path
from typing import NoReturn

import pytest

import workflows
from engine import Registry
from infra import assembly
from tests.infra.host_package import alone

APP = Path(__file__).resolve().parent.parent.parent / "app.py"


def test_without_a_package_it_ends_with_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the command to run."""
    (tmp_path / "requirements-lambda.txt").write_text("", encoding="utf-8")
    shutil.copy(APP.with_name("cdk.json"), tmp_path)
    monkeypatch.setattr(assembly, "ROOT", tmp_path)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(APP))
    assert str(ended.value.code).startswith("The Lambda package for Python 3.13 is missing or out of date: run `")


def test_the_routes_of_the_registry_become_rules(
    tmp_path: Path, asset_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pattern once, as the route has it."""
    registry = Registry()
    registry.add({"name": "count", "nodes": [{"id": "count", "type": "core:set"}]})
    registry.route({"source": ["shop"], "detail": {"cents": [{"numeric": [">", 0]}]}}, "count")
    monkeypatch.setattr(workflows, "registry", registry)
    monkeypatch.setattr(assembly, "refresh_package", lambda *_: asset_path)
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    runpy.run_path(str(APP))
    (template,) = tmp_path.glob("*.template.json")
    resources = json.loads(template.read_text(encoding="utf-8"))["Resources"].values()
    patterns = [resource["Properties"].get("EventPattern") for resource in resources if "Rule" in resource["Type"]]
    assert [pattern for pattern in patterns if pattern] == [dict(route.pattern) for route in registry.routes]


def _refused(*_: object) -> NoReturn:
    raise AssertionError("synthesis is not to ask anybody")


def test_synthesis_needs_no_account_no_docker_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the package is built, all that ships is here: the assembly has the package and asks for nothing more."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("PATH", sysconfig.get_path("scripts"))
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", _refused)
    monkeypatch.setattr(socket, "getaddrinfo", _refused)
    with alone():
        runpy.run_path(str(APP))
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert "missing" not in manifest
    assert manifest["artifacts"]["refluxo-dev"]["environment"] == "aws://unknown-account/unknown-region"
    assets = json.loads((tmp_path / "refluxo-dev.assets.json").read_text(encoding="utf-8"))
    assert assets.get("dockerImages", {}) == {}
    (package,) = (asset["source"] for asset in assets["files"].values() if asset["source"]["packaging"] == "zip")
    assert (tmp_path / package["path"] / "dispatcher" / "queue_handler.py").is_file()


def test_a_project_of_ones_own_has_its_own_settings(tmp_path: Path, asset_path: Path) -> None:
    """Its cdk.json is read, and its cdk.out written."""
    context = {"refluxo:stage": "theirs", "refluxo:alarms": False}
    (tmp_path / "cdk.json").write_text(json.dumps({"context": context}), encoding="utf-8")
    (stack,) = assembly.refluxo_app(root=tmp_path, asset_path=asset_path).synth().stacks
    assert stack.stack_name == "refluxo-theirs"
    assert (tmp_path / "cdk.out" / "refluxo-theirs.template.json").is_file()
