"""What a node's own code has raised: told in the log with where, and by type and message alone in the run."""

from __future__ import annotations

import logging
from traceback import extract_tb
from typing import NoReturn

import pytest

from engine import Flow, Registry
from tests.dispatcher.conftest import NewLoop


def _registry() -> Registry:
    """One workflow whose node raises, one that fails by a node of the product."""
    registry = Registry()

    @registry.node("test:broken")
    def broken(_data: object) -> NoReturn:
        raise KeyError("id")

    theirs, ours = Flow("theirs"), Flow("ours")
    theirs.node("it", broken)
    ours.fail("it", "Refused", "somebody said no")
    registry.add(theirs)
    registry.add(ours)
    return registry


def test_a_nodes_error_is_told_with_its_traceback(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """From the node's own first line on; the run has no more than before."""
    loop = new_loop(_registry())
    with caplog.at_level(logging.WARNING, "refluxo"):
        loop.start("theirs")
        loop.settle()
    (told,) = [record for record in caplog.records if record.getMessage() == "a node raised"]
    assert vars(told)["node_id"] == "it"
    assert told.exc_info is not None
    _, error, traceback = told.exc_info
    assert isinstance(error, KeyError)
    frames = extract_tb(traceback)
    assert frames[-1].name == "broken"
    assert not [frame for frame in frames if "/engine/" in frame.filename]
    assert "Traceback" not in str(loop.snapshot().to_json())


def test_an_error_of_the_products_own_has_no_traceback(new_loop: NewLoop, caplog: pytest.LogCaptureFixture) -> None:
    """It says what it means."""
    loop = new_loop(_registry())
    with caplog.at_level(logging.WARNING, "refluxo"):
        loop.start("ours")
        loop.settle()
    messages = [record.getMessage() for record in caplog.records]
    assert "step failed" in messages
    assert "a node raised" not in messages
