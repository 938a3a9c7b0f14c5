"""The pytest plugin, as a user's test suite has it."""

from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)

_REGISTRY = """
from engine import Flow, Registry

registry = Registry()
flow = Flow("double")
flow.node("n", "core:set", "{{ run.input * 2 }}")
registry.add(flow)
"""

_TESTS = """
def test_runs(refluxo_runner):
    assert refluxo_runner.start("double", 21).result() == 42

def test_survives(new_refluxo_runner):
    runner = new_refluxo_runner(crash_after="save", duplicates=True)
    assert runner.start("double", 4).result() == 8
    assert runner.crashes == 1
"""


def test_the_fixtures_run_workflows(pytester: pytest.Pytester) -> None:
    """Over the registry that the project's settings name."""
    pytester.makepyfile(registry_of_the_plugin_test=_REGISTRY, test_mine=_TESTS)
    pytester.makeini("[pytest]\nrefluxo_registry = registry_of_the_plugin_test:registry\n")
    pytester.syspathinsert()
    pytester.runpytest_inprocess("-p", "no:cacheprovider", *_plugin()).assert_outcomes(passed=2)


def test_a_registry_that_is_not_there_is_told(pytester: pytest.Pytester) -> None:
    """With the setting's name and what is wrong."""
    pytester.makepyfile(test_mine=_TESTS)
    pytester.makeini("[pytest]\nrefluxo_registry = nowhere_at_all:registry\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *_plugin())
    result.stdout.fnmatch_lines(["*refluxo_registry is 'nowhere_at_all:registry'*"])


def _plugin() -> tuple[str, ...]:
    """What loads the plugin where this kit is not installed as a distribution."""
    from importlib.metadata import entry_points  # noqa: PLC0415

    installed = any(point.value == "local.pytest_plugin" for point in entry_points(group="pytest11"))
    return () if installed else ("-p", "local.pytest_plugin")
