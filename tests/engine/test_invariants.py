"""What holds for every shape at every step, whatever the workflow: the promises that a shell builds upon."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache

import pytest

from engine import Snapshot, Status
from engine.effects import AwaitSignal, EnqueueStep, effects_of
from engine.errors import IllegalTransition
from engine.json_value import JsonObject
from engine.outcome import Cancelled, Completed
from engine.transition import advance
from tests.engine.corpus import SHAPES, Moment, Play, Player, Shape, through_json

EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


@cache
def play_of(name: str) -> tuple[Player, Play]:
    """A player of the shape and one play of it; plays do not change."""
    player = Player(next(shape for shape in SHAPES if shape.name == name))
    return player, player.play()


def results_of(document: JsonObject) -> dict[str, list[object]]:
    """The results in a snapshot's JSON, by node."""
    context = document["context"]
    assert isinstance(context, dict)
    return {node_id: list(results) for node_id, results in context.items() if isinstance(results, list)}


@EACH_SHAPE
def test_every_transition_raises_the_version_by_one(shape: Shape) -> None:
    """A conditional write on the version misses no transition, and sees none twice."""
    _, play = play_of(shape.name)
    assert [snapshot.version for snapshot in play.snapshots] == list(range(len(play.moments)))


@EACH_SHAPE
def test_history_is_append_only(shape: Shape) -> None:
    """Each step adds at most one result, and what was there before stays, in order."""
    _, play = play_of(shape.name)
    for before, after in zip(play.snapshots, play.snapshots[1:], strict=False):
        earlier, later = list(before.context.entries()), list(after.context.entries())
        assert later[: len(earlier)] == earlier
        assert len(later) - len(earlier) <= 1


@EACH_SHAPE
def test_later_steps_leave_older_snapshots_as_they_were(shape: Shape) -> None:
    """Snapshots share their history's structure, and yet none sees what came after it."""
    player = Player(shape)
    moment: Moment | None = player.start()
    kept: list[tuple[Snapshot, str]] = []
    while moment is not None:
        kept.append((moment.snapshot, json.dumps(moment.snapshot.to_json())))
        moment = player.following(moment)
    for snapshot, text in kept:
        assert json.dumps(snapshot.to_json()) == text


@pytest.mark.parametrize("shape", [s for s in SHAPES if s.status != "paused"], ids=lambda shape: shape.name)
def test_a_terminal_run_is_left_alone(shape: Shape) -> None:
    """Nothing executes a step of a run that has ended, and nothing but a retry takes it back."""
    player, play = play_of(shape.name)
    before = play.last.to_json()
    with pytest.raises(IllegalTransition):
        player.engine.execute_step(play.last, now_ms=0)
    for outcome in (Completed(1), Cancelled("no")):
        with pytest.raises(IllegalTransition):
            advance(play.last, outcome, now_ms=0)
    assert effects_of(play.last) == ()
    assert play.last.to_json() == before


@EACH_SHAPE
def test_storage_between_two_steps_changes_nothing(shape: Shape) -> None:
    """A snapshot that went through JSON goes on as the one in memory: same end, same order, same keys."""
    player, play = play_of(shape.name)
    stored = player.play(between=through_json)
    assert [s.to_json() for s in stored.snapshots] == [s.to_json() for s in play.snapshots]
    assert stored.executed == play.executed
    assert stored.executions == play.executions


@EACH_SHAPE
def test_json_is_a_fixed_point(shape: Shape) -> None:
    """Reading and writing a snapshot gives the same text, order of keys included, and it is strict JSON."""
    _, play = play_of(shape.name)
    for snapshot in play.snapshots:
        text = json.dumps(snapshot.to_json(), allow_nan=False)
        assert json.dumps(through_json(snapshot).to_json(), allow_nan=False) == text


@EACH_SHAPE
def test_replay_from_any_moment_is_equal(shape: Shape) -> None:
    """With time and chance fixed, a run goes on from any of its snapshots as it did."""
    player, play = play_of(shape.name)
    stride = max(1, len(play.moments) // 8)
    for index in range(0, len(play.moments), stride):
        again = player.play(play.moments[index])
        assert [s.to_json() for s in again.snapshots] == [s.to_json() for s in play.snapshots[index:]]
        assert len(again.executions) <= len(play.executions)
        assert again.executions == play.executions[len(play.executions) - len(again.executions) :]


@EACH_SHAPE
def test_attempts_of_one_step_share_an_idempotency_key(shape: Shape) -> None:
    """A key belongs to one entry into a node and one wait of it: to all its attempts, and to nothing else."""
    _, play = play_of(shape.name)
    keys: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    for execution in play.executions:
        keys[execution.node_id, execution.visit, execution.resumes].add(execution.idempotency_key)
    assert all(len(same) == 1 for same in keys.values())
    assert len(set.union(set(), *keys.values())) == len(keys)


@EACH_SHAPE
def test_attempts_count_up_within_a_visit(shape: Shape) -> None:
    """Attempts begin at 1 in each visit and visits at 1 for each node; neither leaves a gap nor goes back."""
    _, play = play_of(shape.name)
    seen: dict[str, tuple[int, int]] = {}
    for execution in play.executions:
        visit, attempt = seen.get(execution.node_id, (0, 0))
        now = (execution.visit, execution.attempt)
        assert now in {(visit, attempt), (visit, attempt + 1), (visit + 1, 1)}
        seen[execution.node_id] = now


@EACH_SHAPE
def test_effects_are_a_function_of_the_saved_json(shape: Shape) -> None:
    """Whoever finds a snapshot can work out what it calls for, without the transition that made it."""
    _, play = play_of(shape.name)
    for snapshot in play.snapshots:
        effects = effects_of(snapshot)
        assert effects_of(through_json(snapshot)) == effects
        assert all(effect.version == snapshot.version for effect in effects)
        if snapshot.status in {Status.ACTIVE, Status.ERROR}:
            assert effects == (EnqueueStep("run-1", snapshot.version, snapshot.due_at_ms),)
        if snapshot.status is Status.PAUSED:
            assert effects, "nothing would ever end this wait"
            assert {type(effect) for effect in effects} <= {AwaitSignal, EnqueueStep}


@EACH_SHAPE
def test_two_ways_on_from_one_snapshot_do_not_meet(shape: Shape) -> None:
    """A fork of history: the same older snapshot goes on twice, and neither line sees the other's results."""
    player, play = play_of(shape.name)
    texts = [json.dumps(snapshot.to_json()) for snapshot in play.snapshots]
    for index in range(0, len(play.moments), max(1, len(play.moments) // 6)):
        older = play.moments[index].snapshot
        if older.status.terminal:
            continue
        other = advance(older, Completed("another end"), now_ms=1).snapshot
        third = advance(older, Completed("a third end"), now_ms=1).snapshot
        again = player.play(play.moments[index])
        assert (other.output, third.output) == ("another end", "a third end")
        assert other.context.length == third.context.length == older.context.length + 1
        assert json.dumps(again.last.to_json()) == texts[-1]
    assert [json.dumps(snapshot.to_json()) for snapshot in play.snapshots] == texts


@EACH_SHAPE
def test_only_the_contracts_fields_are_on_the_wire(shape: Shape) -> None:
    """What the status does not call for is not there: a retry's state only in ``error``, a wait only in ``paused``."""
    _, play = play_of(shape.name)
    for snapshot in play.snapshots:
        document = snapshot.to_json()
        assert ("retryState" in document) == (snapshot.status is Status.ERROR)
        assert ("wait" in document) == (snapshot.status is Status.PAUSED)
        for results in results_of(document).values():
            for result in results:
                assert isinstance(result, dict)
                assert {"output", "timestamp", "attempt"} <= set(result)
                assert set(result) <= {"output", "timestamp", "attempt", "error", "errorType"}
