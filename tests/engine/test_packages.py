"""The package as users import it: what it offers is there, what it costs is only what is used."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import engine
from engine import limits

PACKAGES = ["engine", *(f"engine.{module.name}" for module in pkgutil.iter_modules(engine.__path__) if module.ispkg)]


@pytest.mark.parametrize("name", PACKAGES)
def test_what_a_package_offers_is_there(name: str) -> None:
    """Each name of ``__all__`` can be imported, once and in order, and each public name it imports is offered."""
    package = importlib.import_module(name)
    offered = list(package.__all__)
    assert offered == sorted(set(offered), key=lambda text: (text.upper() != text, text.lower() == text, text))
    assert all(hasattr(package, item) for item in offered)


def test_the_contracts_names_are_offered() -> None:
    """The example that every reader begins with can be typed as it stands."""
    contract = (
        "Registry Flow WorkflowDefinition Node Edge NodeDefinition RetryPolicy WorkflowEngine Snapshot Output Pause "
        "Step JexlTransformEngine"
    )
    assert set(contract.split()) <= set(engine.__all__)


def imported_by(statements: str) -> set[str]:
    """Names of the modules loaded once these statements have run in a Python of their own."""
    program = f"{statements}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    return set(done.stdout.split())


def test_importing_the_engine_loads_no_cloud_and_no_json_schema() -> None:
    """A cold start pays for neither boto3 nor jsonschema nor an event loop it may not need."""
    assert not imported_by("import engine") & {"boto3", "botocore", "jsonschema", "referencing", "asyncio", "sqlite3"}


def test_importing_the_engine_loads_nothing_of_it() -> None:
    """Each name brings its own module, and what that needs, when it is first asked for."""
    assert {name for name in imported_by("import engine") if name.startswith("engine.")} == set()


def test_a_snapshot_comes_without_the_engine_that_makes_it() -> None:
    """Whoever only reads runs loads neither executors nor retries nor definitions."""
    loaded = imported_by("from engine import Snapshot, Status")
    assert "engine.snapshot" in loaded
    assert not loaded & {"engine.workflow_engine", "engine.registry", "engine.retry", "engine.definition"}


def test_a_registry_without_entries_loads_its_core_and_no_more() -> None:
    """What only some programs use is loaded by whoever asks for it first."""
    loaded = imported_by("from engine import Registry\nRegistry()")
    core = {
        "engine.registry",
        "engine.workflow_engine",
        "engine.snapshot",
        "engine.context",
        "engine.node_definition",
        "engine.outcome",
        "engine.retry",
        "engine.transition",
    }
    assert core <= loaded
    used_by_some = {
        "engine.checks",
        "engine.core_data",
        "engine.core_nodes",
        "engine.definition",
        "engine.effects",
        "engine.expressions",
        "engine.flow",
        "engine.loading",
        "engine.node_data",
        "engine.node_types",
        "engine.schema",
        "importlib.metadata",
        "json",
        "logging",
    }
    assert not loaded & used_by_some


def test_pydantic_comes_with_the_first_definition() -> None:
    """It is a third of what a step's modules cost to import: left to who reads a definition or has a model."""
    assert not [name for name in imported_by("from engine import Registry\nRegistry()") if "pydantic" in name]
    # Were it not what a definition brings, the line above would say nothing.
    assert {"pydantic.main", "annotated_types"} <= imported_by("from engine import WorkflowDefinition")


@pytest.mark.parametrize("name", ["Edge", "Node", "WorkflowDefinition"])
def test_a_name_loaded_when_used_is_the_class_itself(name: str) -> None:
    """However it is reached, it is one class."""
    assert getattr(engine, name) is getattr(importlib.import_module("engine.definition"), name)


def test_a_name_that_is_not_offered_is_an_attribute_error() -> None:
    """Names loaded when used do not turn a slip into something else."""
    with pytest.raises(AttributeError, match="module 'engine' has no attribute 'WorkflowDefintion'"):
        engine.WorkflowDefintion  # noqa: B018


def test_json_schema_is_loaded_when_it_is_used() -> None:
    """A registry and a run without schemas do without the library; the first schema brings it."""
    run = """
from engine import Registry
registry = Registry()
registry.add({"name": "plain", "nodes": [{"id": "a", "type": "core:set", "data": {"n": "{{ 1 }}"}}]})
engine = registry.engine("plain")
assert engine.execute(now_ms=1).status == "completed"
"""
    assert "jsonschema" not in imported_by(run)
    schema = 'registry.add({"name": "s", "nodes": [{"id": "a", "type": "core:set"}], "input": {"type": "object"}})'
    assert "jsonschema" in imported_by(run + schema)


def test_limits_are_documented_numbers() -> None:
    """Every limit is a positive number, written in capitals, with its unit at the end or a plain count."""
    values = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert values
    assert all(isinstance(value, int) and value > 0 for value in values.values())
