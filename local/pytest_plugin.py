"""pytest fixtures for tests of workflows; pytest loads them by itself where this kit is installed.

``refluxo_registry`` is the registry named by the ini option of that name (``workflows:registry`` unless set);
``refluxo_runner`` is a LocalRunner over it; ``new_refluxo_runner`` makes one with other options.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from engine import Registry
    from local.runner import LocalRunner


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that names the registry."""
    parser.addini("refluxo_registry", "the registry of workflows, as module:attribute", default="workflows:registry")


@pytest.fixture
def refluxo_registry(pytestconfig: pytest.Config) -> Registry:
    """The registry that the project's tests are about."""
    from engine.registry_path import registry_at  # noqa: PLC0415  (tests that do not ask for it do not load it)

    path = str(pytestconfig.getini("refluxo_registry"))
    try:
        return registry_at(path)
    except ValueError as error:
        raise pytest.UsageError(f"refluxo_registry is {path!r} in the pytest settings; {error}") from None


@pytest.fixture
def new_refluxo_runner(refluxo_registry: Registry) -> Callable[..., LocalRunner]:
    """Makes a LocalRunner over the registry; takes what LocalRunner takes."""
    from local.runner import LocalRunner  # noqa: PLC0415

    def made(**options: object) -> LocalRunner:
        return LocalRunner(refluxo_registry, **options)  # type: ignore[arg-type]  # LocalRunner checks them

    return made


@pytest.fixture
def refluxo_runner(new_refluxo_runner: Callable[..., LocalRunner]) -> LocalRunner:
    """A LocalRunner over the registry."""
    return new_refluxo_runner()
