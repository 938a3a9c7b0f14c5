"""What must be true once nothing moves any more: the run has ended as it should, or rests, and nothing is left over."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from dispatcher.errors import HistoryDamaged
from dispatcher.memory import _StoredSignal
from dispatcher.ports import Sealed
from dispatcher.signals import names_awaited
from dispatcher.table_schema import inbox_sort_key
from engine import Status, WaitAddress
from engine.json_value import read_value
from tests.simulation.clock import SECOND
from tests.simulation.invariants import Account, RuleBroken, require
from tests.simulation.nodes import CANARY

if TYPE_CHECKING:
    from tests.simulation.world import World


_TOO_SKEWED_MS: Final = 10 * SECOND
"""Between clocks that differ more than that, a signal and a time limit may come in another order than they came."""


def judge_the_end(world: World) -> None:
    """Raises RuleBroken unless all is well."""
    for workflow_id, account in world.ledger.accounts.items():
        if account.removed:
            left = list(world.store._items.get(workflow_id, {}))
            require(workflow_id not in world.store._heads and not left, f"a run was removed, but for {left}")
            continue
        _judge_history(world, workflow_id, account)
        _judge_signals(world, workflow_id, account)
        _judge_rest(world, workflow_id, account)
        if workflow_id == world.run:
            _judge_output(world, account)
    require(not world.queue.messages, "messages are left on the queue")
    require(not world.queue.dead_letters, "messages are left on the dead-letter queue")
    parked = [body for body, _ in world.queue.parked if body not in world.program.strays]
    require(not parked, f"parked: {parked}")
    _judge_secrets(world)


def _judge_history(world: World, workflow_id: str, account: Account) -> None:
    """What is stored, read back by somebody new, is what the pure engine came to, to the last result."""
    try:
        _compare_history(world, workflow_id, account)
    except HistoryDamaged as damaged:
        raise RuleBroken(f"the history cannot be read: {damaged}") from None


def _compare_history(world: World, workflow_id: str, account: Account) -> None:
    head = world.fresh_archive().load(workflow_id)
    require(head is not None, f"run {workflow_id} is gone")
    assert head is not None
    found, pure = head.snapshot, account.snapshot
    for name in ("status", "version", "current_node_id", "retry_state", "last_node_id", "last_started_at"):
        require(getattr(found, name) == getattr(pure, name), f"at the end {name} is {getattr(found, name)!r}")
    require(read_value(found.input) == pure.input, "the input has changed")
    require(list(found.context.entries()) == list(pure.context.entries()), "the results have changed")
    nodes = list(dict.fromkeys(node_id for node_id, _ in pure.context.entries()))
    for node_id in nodes:
        require(list(found.context[node_id]) == list(pure.context[node_id]), f"the results of {node_id} have changed")
    placed = list(world.fresh_archive().placed_entries(head, after=0, limit=100_000))
    require([one.version for one in placed] == list(range(1, head.version + 1)), "the history has gaps")
    require([one.entry.status for one in placed] == account.statuses, "the history tells another story")


def _judge_signals(world: World, workflow_id: str, account: Account) -> None:
    """Each signal that was accepted was taken, or is in the inbox still; none is both, but the last one taken."""
    inbox = {key for key, item in world.store._items.get(workflow_id, {}).items() if isinstance(item, _StoredSignal)}
    head = world.store.load(workflow_id)
    kept = set() if head is None else {taken.inbox_key for taken in head.takes}
    for signal_id, (signal, _, _) in account.accepted.items():
        key = inbox_sort_key(signal.name, signal.arrived_at_ms, signal_id)
        if signal_id in account.taken:
            # A run that is held keeps, in its head, the note that an item must go before it takes another.
            noted = key in kept and account.held_since_ms is not None
            require(noted or key not in inbox, f"{signal.name} was taken and is in the inbox still")
        elif not account.snapshot.status.terminal:
            require(key in inbox, f"{signal.name} was accepted and is lost")


def _judge_rest(world: World, workflow_id: str, account: Account) -> None:
    """A run that has not ended waits for somebody outside, and only for that."""
    snapshot = account.snapshot
    stored = world.store._heads[workflow_id].attributes
    if snapshot.status.terminal:
        require(stored.due_at_ms is None or world.kept_by_a_fork, "a run that has ended keeps its due mark")
        return
    if stored.hold is not None:
        return
    require(
        snapshot.status is Status.PAUSED and snapshot.due_at_ms is None,
        f"the run is lost: {snapshot.status.value} at {snapshot.current_node_id}, version {snapshot.version}",
    )
    assert snapshot.wait is not None
    assert snapshot.current_node_id is not None
    wait = snapshot.wait
    names = names_awaited(WaitAddress(snapshot.current_node_id, wait.visit, wait.resumes), wait.signal)
    waiting = [
        signal.name
        for signal_id, (signal, _, _) in account.accepted.items()
        if signal.name in names and signal_id not in account.taken
    ]
    require(not waiting, f"the run is lost: it waits for {waiting}, which is in its inbox")
    require(stored.due_at_ms is None, "a run at rest keeps its due mark")


def _judge_output(world: World, account: Account) -> None:
    """Where only one end is right, it is that one."""
    end = world.program.end
    if end is None or account.crashed or account.held_since_ms is not None or world.skew_max_ms >= _TOO_SKEWED_MS:
        return
    snapshot = account.snapshot
    require(snapshot.status.value == end.status, f"the run is {snapshot.status.value}; it should be {end.status}")
    require(snapshot.output == end.output, f"the output is {snapshot.output!r}; it should be {end.output!r}")


def _judge_secrets(world: World) -> None:
    """No global is in anything that was stored or sent."""
    secret = CANARY.encode()
    bodies = [zlib.decompress(stored.body) for stored in world.store._heads.values()]
    bodies += [zlib.decompress(body) for body in world.store._definitions.values()]
    bodies += [zlib.decompress(body) for body in world.bucket.objects.values()]
    for items in world.store._items.values():
        bodies += [zlib.decompress(item.body) for item in items.values() if isinstance(item, _StoredSignal | Sealed)]
    bodies += [body.encode() for body in world.queue.bodies]
    require(not any(secret in body for body in bodies), "a secret in what is stored or sent")
