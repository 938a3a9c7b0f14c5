"""What a cold start loads, no function importing what it does not use, and what it costs.

What is loaded is told by names of modules, which are the same everywhere; what it costs as a ratio within one run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.infra.cold_start import (
    BARE,
    ENVIRONMENT,
    FUNCTION,
    PARTS,
    RATIO_MAX,
    REGISTRY,
    measured,
    programs,
    ratio,
)
from tests.infra.host_package import unpacked_host_package

if TYPE_CHECKING:
    from aws_cdk.assertions import Template

ROOT = Path(__file__).resolve().parents[2]

CLIENTS = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
"""What two clients bring, whoever makes them."""

NOT_BEFORE_A_DEFINITION = {"engine.definition", "engine.core_nodes", "engine.core_data", "engine.expressions"}
EXECUTING = {"engine.workflow_engine", "engine.registry", "dispatcher.dispatch", "dispatcher.catalog"}
ANSWERING = {"dispatcher.http.api", "dispatcher.front_door", "dispatcher.operator_calls"}

UNUSED = {
    "http_handler": {"dispatcher.dispatch", "dispatcher.sweep", "dispatcher.dead_letters"},
    "queue_handler": {"dispatcher.sweep", "dispatcher.dead_letters", "dispatcher.rewind", *ANSWERING},
    "sweep_handler": {"dispatcher.dead_letters", "dispatcher.webhook_token", *EXECUTING, *ANSWERING},
    "dead_letter_handler": {"dispatcher.sweep", "dispatcher.webhook_token", *EXECUTING, *ANSWERING},
    "event_handler": {"dispatcher.dispatch", "dispatcher.sweep", "dispatcher.dead_letters", "dispatcher.http.api"},
}
"""Parts of our own that each function has no use for."""

NOWHERE = {"dispatcher.memory", "dispatcher.http_node.node", "dispatcher.plugins", *NOT_BEFORE_A_DEFINITION}


@cache
def loaded_by(module: str, folder: Path, registry: str = "plain_registry:registry", plugins: str = "") -> set[str]:
    """Every module loaded once a function is initialized, in a Python of its own."""
    return modules_after(FUNCTION.format(module=module, part=PARTS[module]), folder, registry, plugins)


def modules_after(program: str, folder: Path, registry: str, plugins: str = "", **variables: str) -> set[str]:
    """Every module loaded by a program."""
    program += "\nimport sys\nprint('\\n'.join(sys.modules))"
    environment = {
        **ENVIRONMENT,
        **variables,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{folder}",
        "REFLUXO_REGISTRY": registry,
        "REFLUXO_PLUGINS": plugins,
    }
    done = subprocess.run(  # noqa: S603  (no shell, no user input)
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a registry that imports nothing of a user's."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "plain_registry.py").write_text(REGISTRY, encoding="utf-8")
    return folder


def third_party(modules: set[str]) -> set[str]:
    """Packages that are neither ours nor the standard library's; editable installs and start-up hooks apart."""
    tops = {name.partition(".")[0] for name in modules if not name.startswith("_")}
    # Where something else has installed certifi, botocore takes its certificates; the package has it not.
    return tops - sys.stdlib_module_names - {"engine", "dispatcher", "plain_registry", "sitecustomize", "certifi"}


def test_every_function_of_the_template_is_looked_at(template: Template) -> None:
    """One that is added is held to the same."""
    functions = template.find_resources("AWS::Lambda::Function").values()
    assert {function["Properties"]["Handler"] for function in functions} == {f"dispatcher.{m}.handler" for m in PARTS}


@pytest.mark.parametrize("module", PARTS)
def test_a_function_loads_the_clients_and_nothing_else_of_others(module: str, plain: Path) -> None:
    """No pydantic, no JSON Schema, no Powertools: they come with the first definition, schema or named plugin."""
    assert third_party(loaded_by(module, plain)) == CLIENTS


@pytest.mark.parametrize("module", PARTS)
def test_a_function_loads_no_part_that_it_does_not_use(module: str, plain: Path) -> None:
    """Each entry point stays with its own part of the app; what only a run brings waits for the run."""
    loaded = loaded_by(module, plain)
    assert not loaded & (UNUSED[module] | NOWHERE)
    # Were the names wrong, the line above would say nothing.
    everything = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in ROOT.glob("*/**/*.py")
    }
    packages = {name.removesuffix(".__init__") for name in everything}
    assert packages >= UNUSED[module] | NOWHERE


@pytest.mark.parametrize("module", ["sweep_handler", "dead_letter_handler"])
def test_what_executes_nothing_imports_nothing_of_the_user(module: str, plain: Path) -> None:
    """A broken node cannot stop the sweep, and a heavy one does not slow it."""
    assert "workflows" not in loaded_by(module, plain, "workflows:registry")
    # The dispatcher does import it, and with it pydantic, for its workflows are definitions.
    assert {"workflows", "pydantic"} <= loaded_by("queue_handler", plain, "workflows:registry")


@pytest.mark.parametrize("module", PARTS)
def test_a_snapshot_holds_what_the_first_event_would_build(module: str, plain: Path) -> None:
    """With SnapStart the entry point builds it when it is loaded; without, it waits for the event."""
    program, entry_point = f"import dispatcher.{module}", f"dispatcher.{module}.handler"
    begun = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start", "_HANDLER": entry_point}
    kept = modules_after(program, plain, "workflows:registry", **begun)
    assert kept >= {"boto3", "dispatcher.dynamodb_store"}
    assert ("workflows" in kept) is (module not in {"sweep_handler", "dead_letter_handler"})
    assert "boto3" not in modules_after(program, plain, "workflows:registry", _HANDLER=entry_point)


def test_powertools_come_when_they_are_named(plain: Path) -> None:
    """And then nothing beside them but what they need: no X-Ray without the tracer."""
    named = third_party(loaded_by("queue_handler", plain, plugins="logger,metrics")) - CLIENTS
    assert "aws_lambda_powertools" in named
    assert not named & {"aws_xray_sdk", "pydantic", "jsonschema"}


def test_a_cold_start_costs_little_more_than_its_clients(tmp_path: Path) -> None:
    """From the package for this machine, compiled as it is on Lambda. A machine that is busy has more rounds."""
    package = unpacked_host_package(tmp_path)
    over: dict[str, float] = {}
    for rounds in (3, 9):
        times = measured({"bare": (BARE, ""), **programs()}, package, tmp_path, rounds)
        over = {name: found for name, values in times.items() if (found := ratio(values, times["bare"])) > RATIO_MAX}
        if not over:
            break
    assert over == {}
