"""The product with one rule taken out of it, each a way to build it that somebody might think is simpler.

They are there to show that the simulator sees what it is there to see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import cached_property
from typing import Any, Final, cast

from dispatcher.bootstrap import App
from dispatcher.dispatch import Dispatcher
from dispatcher.gathering import Gathering, Work
from dispatcher.head import Head, Pending
from dispatcher.head_effects import HeadEffects
from dispatcher.messages import Delivery
from dispatcher.ports import RunStore
from dispatcher.sweep import Sweep, SweepReport
from engine import Resumed, Snapshot, Status


class _Instead:
    """A port that answers otherwise in some of its methods."""

    def __init__(self, inner: object, **methods: Callable[..., object]) -> None:
        self._inner = inner
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _rebuilt(part: Any, kind: type) -> Any:
    """The same part of the app, of a class that does something otherwise."""
    return kind(**{field.name: getattr(part, field.name) for field in fields(part)})


def _over_store(settings: Any, adapters: Any, registry: Any, **methods: Callable[..., object]) -> App:
    store = cast("RunStore", _Instead(adapters.store, **methods))
    return App(settings, replace(adapters, store=store), registry)


# --- rules of the messages -------------------------------------------------------------------------


def forgets_by(settings: Any, adapters: Any, registry: Any) -> App:
    """A redelivery of the message that committed sends nothing (rule 3)."""

    def load(workflow_id: str) -> Head | None:
        head: Head | None = adapters.store.load(workflow_id)
        return None if head is None else replace(head, by=None)

    return _over_store(settings, adapters, registry, load=load)


class _RunsEarly(Gathering):
    def gather(self, delivery: Delivery) -> Work | None:
        head = self.archive.load(delivery.message.workflow_id, [])
        if head is not None and head.snapshot.status is Status.ERROR and head.hold is None:
            return Work(head, head.pending, trouble=[])
        return Gathering.gather(self, delivery)


class _AnythingResumes(Gathering):
    def gather(self, delivery: Delivery) -> Work | None:
        head = self.archive.load(delivery.message.workflow_id, [])
        if head is not None and head.snapshot.wait is not None and head.by != delivery.message_id:
            return Work(head, Pending(Resumed("signal", head.snapshot.wait.signal)), trouble=[])
        return Gathering.gather(self, delivery)


class _IgnoresHold(Gathering):
    def gather(self, delivery: Delivery) -> Work | None:
        open_store = _Instead(self.store, load=lambda run: _unheld(self.store.load(run)))
        archive = type(self.archive)(cast("RunStore", open_store), self.archive._bucket)
        return Gathering.gather(cast("Gathering", replace(cast("Any", self), archive=archive)), delivery)


def _unheld(head: Head | None) -> Head | None:
    return None if head is None else replace(head, hold=None)


class _LosesPayload(Dispatcher):
    def _next_head(self, work: Work, snapshot: Snapshot, delivery: Delivery) -> Head:
        return replace(Dispatcher._next_head(self, work, snapshot, delivery), pending=None)


class _NeverCounts(Dispatcher):
    def _after_a_crash(self, work: Work, delivery: Delivery) -> Work | None:  # noqa: ARG002
        return work


class _NeverClaims(Dispatcher):
    def _claimed(self, work: Work, delivery: Delivery, deadline_ms: int | None) -> Work | None:  # noqa: ARG002
        return work


class _NoSecondLook(HeadEffects):
    def perform(self, head: Head) -> None:
        if head.snapshot.status is not Status.PAUSED:
            HeadEffects.perform(self, head)
            return
        self.settle_debts(head)
        if head.snapshot.due_at_ms is not None:
            self.send_later(head)


class _NoDebts(HeadEffects):
    def settle_debts(self, head: Head) -> None:
        pass


class _NoSweep(Sweep):
    def run(self) -> SweepReport:
        return SweepReport()


class _SweepIgnoresInbox(Sweep):
    def _at_rest(self, head: Head) -> bool:
        waits = head.snapshot.status is Status.PAUSED and head.snapshot.due_at_ms is None
        return waits or head.hold is not None


def _app_with(part: str, kind: type) -> Callable[..., App]:
    """Makes apps one of whose parts is of another class."""
    original: Any = App.__dict__[part]

    def rebuilt(self: App) -> Any:
        return _rebuilt(original.func(self), kind)

    changed = cached_property(rebuilt)
    subclass = type(kind.__name__, (App,), {part: changed})
    changed.__set_name__(subclass, part)
    return subclass


MUTANTS: Final[Mapping[str, Callable[..., App]]] = {
    "a redelivery does not send what its first delivery did not": forgets_by,
    "a message that is early acts": _app_with("gathering", _RunsEarly),
    "any message ends a wait": _app_with("gathering", _AnythingResumes),
    "a hold is not looked at": _app_with("gathering", _IgnoresHold),
    "a payload is lost with the first failure": _app_with("dispatcher", _LosesPayload),
    "a step that crashes is not counted": _app_with("dispatcher", _NeverCounts),
    "a step to be executed once is not claimed": _app_with("dispatcher", _NeverClaims),
    "a run that pauses does not look into its inbox": _app_with("effects", _NoSecondLook),
    "a signal that was taken stays in the inbox": _app_with("effects", _NoDebts),
    "there is no sweep": _app_with("sweep", _NoSweep),
    "the sweep takes the mark of a run with a signal in its inbox": _app_with("sweep", _SweepIgnoresInbox),
}
"""Each rule that is missing, and the product without it."""
