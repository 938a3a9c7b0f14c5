"""Plugins by name: only what is named is loaded, and a user's own are told an invocation's end as well."""

from __future__ import annotations

import logging

import pytest

from dispatcher.bootstrap import App
from dispatcher.settings import PLUGIN_NAMES, InvalidSettings, Settings
from engine import Plugin, Registry
from local import LocalRunner
from tests.dispatcher import examples
from tests.dispatcher.test_settings import WELL
from tests.engine.test_packages import imported_by

PROGRAM = """
from dispatcher import bootstrap, queue_handler, sweep_handler, event_handler, handler
from dispatcher.settings import Settings
settings = Settings.from_env({environment!r})
app = bootstrap.App(settings, None, None)
app.plugins
with app.invocation():
    pass
"""


def _imported(*names: str) -> set[str]:
    modules = imported_by(PROGRAM.format(environment={**WELL, "REFLUXO_PLUGINS": ",".join(names)}))
    return {
        name for name in modules if name.startswith(("aws_lambda_powertools", "aws_xray_sdk", "dispatcher.powertools"))
    }


def test_without_a_name_nothing_is_loaded() -> None:
    """They would double the time a function takes to start."""
    assert _imported() == set()


@pytest.mark.parametrize("name", PLUGIN_NAMES)
def test_a_named_one_is_loaded_alone(name: str) -> None:
    """Of ours only that; the X-Ray SDK, the heaviest, for the tracer only."""
    loaded = _imported(name)
    assert {module for module in loaded if module.startswith("dispatcher.")} == {f"dispatcher.powertools_{name}"}
    assert any(module.startswith("aws_xray_sdk") for module in loaded) is (name == "tracer")
    assert not any("event_handler" in module or "idempotency" in module or "batch" in module for module in loaded)


@pytest.mark.parametrize(
    ("value", "names"),
    [("", ()), (" , ", ()), ("metrics", ("metrics",)), (" tracer , logger,tracer", ("tracer", "logger"))],
)
def test_names_are_listed_in_one_variable(value: str, names: tuple[str, ...]) -> None:
    """Blanks do not count, nor does a repetition."""
    assert Settings.from_env({**WELL, "REFLUXO_PLUGINS": value}).plugins == names


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    """A typo is no silence."""
    with pytest.raises(InvalidSettings, match=r"REFLUXO_PLUGINS has 'metric'; it must be .*logger, metrics, tracer"):
        Settings.from_env({**WELL, "REFLUXO_PLUGINS": "logger,metric"})


class Batching(Plugin):
    """A user's own, that keeps something back until an invocation ends."""

    def __init__(self) -> None:
        self.kept = 0
        self.sent: list[int] = []

    def on_workflow_complete(self, _snapshot: object) -> None:
        """Keeps it back."""
        self.kept += 1

    def on_invocation_end(self) -> None:
        """Sends it."""
        self.sent.append(self.kept)
        if self.kept:
            raise RuntimeError("no answer")


def test_a_user_s_own_plugin_is_told_an_invocation_s_end(caplog: pytest.LogCaptureFixture) -> None:
    """By its having such a method; what it raises is logged and stops nothing."""
    batching = Batching()
    made: Registry = examples.chain(2).with_plugins([batching])
    run = LocalRunner(made).start("chain")
    with caplog.at_level(logging.ERROR, "refluxo.plugin"):
        assert run.result() == ["a", "b"]
    assert batching.sent == [0, 1]
    assert "a hook of Batching raised" in caplog.text


def test_the_user_s_registry_is_left_alone(service: str) -> None:
    """The shell's plugins are of the app, whoever else uses the registry."""
    assert service
    made = examples.chain(1)
    settings = Settings.from_env({**WELL, "REFLUXO_PLUGINS": "metrics"})
    app = App(settings, LocalRunner(made).app.adapters, made)
    assert [type(plugin).__name__ for plugin in app.registry.plugins] == ["PowertoolsMetrics"]
    assert made.plugins == ()
    assert app.plugins is app.plugins
