"""Each shape of the corpus ends as it says: status, output, error, order of executions, waits of its retries."""

from __future__ import annotations

from functools import cache

import pytest

from engine import Status
from tests.engine.corpus import SHAPES, Play, Player, Shape

EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


@cache
def play_of(name: str) -> Play:
    """The shape played once, shared by the tests of this file: plays do not change."""
    return Player(next(shape for shape in SHAPES if shape.name == name)).play()


def test_the_corpus_is_large_enough_and_names_each_shape_once() -> None:
    """Twenty-five shapes are promised, each found by its name."""
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) >= 25


@EACH_SHAPE
def test_a_shape_ends_as_it_says(shape: Shape) -> None:
    """Status and output are those that the workflow's author would expect."""
    last = play_of(shape.name).last
    assert (last.status, last.output) == (shape.status, shape.output)


@EACH_SHAPE
def test_a_shape_executes_its_nodes_in_order(shape: Shape) -> None:
    """Every execution is one of the script's, failed attempts and pauses included, and no other happens."""
    assert play_of(shape.name).executed == shape.executed


@EACH_SHAPE
def test_a_failed_shape_tells_its_error(shape: Shape) -> None:
    """The failed attempt is in the history as ``Type: message``; a run that ends well has no error."""
    error = play_of(shape.name).last.error
    if shape.error is None:
        assert error is None
    else:
        assert error is not None
        assert error.error is not None
        assert error.error.startswith(shape.error)
        assert error.error_type == shape.error.partition(":")[0]


@EACH_SHAPE
def test_retries_wait_as_the_policy_says(shape: Shape) -> None:
    """The time between a failure and its next attempt is the policy's, to the millisecond."""
    waits_ms = tuple(
        snapshot.due_at_ms - snapshot.error.timestamp
        for snapshot in play_of(shape.name).snapshots
        if snapshot.status is Status.ERROR and snapshot.due_at_ms is not None and snapshot.error is not None
    )
    if shape.waits_ms is not None:
        assert waits_ms == shape.waits_ms
