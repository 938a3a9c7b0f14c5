"""What is simulated: a workflow, its input, what happens from outside and when, and how it must end.

The corpus of the engine's tests is one source, chance is the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from engine.json_value import JsonObject, JsonValue
from tests.engine.corpus import SHAPES, Shape
from tests.engine.corpus.shape import START_MS, Cancel, Elapsed, Event, Lifted, Retry, Signal
from tests.simulation.clock import DAY, HOUR, MINUTE, SECOND

BEGINNING_MS: Final = START_MS
"""When every simulation begins, epoch milliseconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request about the run: ``signals/go``, say, or with a leading slash about anything.

    ``{signal}`` in the path is what the run waits for at that time.
    """

    path: str
    body: JsonValue = None
    key: str | None = None
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Timed:
    """A request some time after the start."""

    after_ms: int
    request: Request


@dataclass(frozen=True, slots=True)
class AtRest:
    """A request some time after the run has come to rest, by a pause or a failure, for the n-th time (from 0)."""

    rest: int
    after_ms: int
    request: Request


@dataclass(frozen=True, slots=True)
class AtEnd:
    """A request some time after the run has ended for the first time."""

    after_ms: int
    request: Request


Action: TypeAlias = Timed | AtRest | AtEnd


@dataclass(frozen=True, slots=True)
class End:
    """How a run must end when nobody outside decides otherwise."""

    status: str
    output: JsonValue


@dataclass(frozen=True, slots=True)
class Program:
    """One thing to simulate.

    ``end`` None: more than one is right, and only the way there is judged. ``strays``: bodies of messages that are on
    the queue and should not be.
    """

    name: str
    definition: JsonObject
    input: JsonValue
    actions: tuple[Action, ...]
    end: End | None
    steps_per_invocation: int = 1
    retention_days: int | None = None
    strays: tuple[str, ...] = ()


# --- the corpus --------------------------------------------------------------------------------


_NO_ONE_END: Final = {
    "wait that nobody ends",  # here its time limit does
    "signal before the timer",  # its timer is at a fixed moment, and a fault may make the run late for it
    "timeout before the timer",  # likewise
    "timer before the timeout",  # likewise
    "sleep for a time",  # it tells until when, which depends on when it began
    "payload that breaks the schema, caught",  # refused at the door while the run waits, and it waits on
}


def program_of(shape: Shape, *, steps_per_invocation: int = 1) -> Program:
    """A shape of the corpus, its events as requests."""
    actions = [_action(number, event) for number, event in enumerate(shape.events)]
    return Program(
        name=shape.name,
        definition=shape.definition,
        input=shape.input,
        actions=tuple(action for action in actions if action is not None),
        end=None if shape.name in _NO_ONE_END else End(shape.status, shape.output),
        steps_per_invocation=steps_per_invocation,
    )


def _action(rest: int, event: Event) -> Action | None:
    key = f"event-{rest}"
    match event:
        case Signal(payload, after_ms):
            return AtRest(rest, after_ms, Request("signals/{signal}", payload, key))
        case Elapsed():
            return None
        case Lifted(payload):
            return AtRest(rest, SECOND, Request("resume", payload, key))
        case Cancel():
            return AtRest(rest, SECOND, Request("cancel", None, key))
        case Retry():
            return AtRest(rest, SECOND, Request("retry", None, key))


CORPUS: Final[Sequence[Program]] = tuple(program_of(shape) for shape in SHAPES)
"""Every shape. Those with more than one step to an invocation are among the random ones."""

# --- cases that the corpus has no words for ----------------------------------------------------


def _in_a_row(name: str, nodes: Sequence[JsonObject], *actions: Action, end: End | None, **how: Any) -> Program:
    """A program of nodes one after the other; a failure of any ends the run."""
    named: list[JsonValue] = [{"id": f"n{number}", **node} for number, node in enumerate(nodes)]
    edges: list[JsonValue] = [{"source": f"n{number}", "target": f"n{number + 1}"} for number in range(len(nodes) - 1)]
    return Program(name, {"name": "case", "nodes": named, "edges": edges}, None, actions, end, **how)


_SET: Final[JsonObject] = {"type": "core:set", "data": "{{ previous }}"}
_GO: Final[JsonObject] = {"type": "core:wait", "data": {"signal": "go", "timeoutMs": HOUR}}
_NAP: Final[JsonObject] = {"type": "core:sleep", "data": {"ms": 10 * MINUTE}}
_BACK: Final[JsonObject] = {"type": "sim:looking-back", "data": {"node": "n0"}}
_LARGE: Final[JsonObject] = {"type": "sim:large", "data": {"size": 3000, "previous": "{{ previous }}"}}

CASES: Final[Sequence[Program]] = (
    # A step that kills whoever executes it: the run must end all the same.
    _in_a_row("poison", [_SET, {"type": "sim:poisonous"}], end=End("failed", None)),
    _in_a_row("once", [_SET, {**_SET, "policy": {"atMostOnce": True}}, _SET], end=End("completed", None)),
    _in_a_row(
        "early signal", [_SET, _SET, _GO], Timed(0, Request("signals/go", "early", "1")), end=End("completed", "early")
    ),
    # Long enough asleep for a message to come back, and then steps enough for a second chain of messages to be seen.
    _in_a_row("nap, then steps", [_NAP, *[_SET] * 8], end=None),
    _in_a_row("one wait", [_GO], AtRest(0, SECOND, Request("signals/go", "seen", "1")), end=End("completed", "seen")),
    _in_a_row(
        "held while a signal comes",
        [_SET, _GO, _SET],
        AtRest(0, SECOND, Request("pause", None, "hold")),
        AtRest(0, 2 * SECOND, Request("signals/go", "held", "1")),
        AtRest(0, MINUTE, Request("resume", None, "lift")),
        end=End("completed", "held"),
    ),
    _in_a_row(
        "held between steps",
        [_SET, _SET, {"type": "core:set", "data": 3}],
        Timed(20, Request("pause", None, "hold")),
        Timed(MINUTE, Request("resume", None, "lift")),
        end=End("completed", 3),
    ),
    _in_a_row("large", [_LARGE, _LARGE, _BACK], end=None),
    _in_a_row(
        "forked and removed",
        [_SET, _LARGE, _SET],
        AtEnd(0, Request("fork", {"version": 2}, "fork")),
        AtEnd(SECOND, Request("", method="DELETE")),
        AtEnd(MINUTE, Request("", method="DELETE")),
        end=None,
    ),
    _in_a_row("huge", [{"type": "sim:large", "data": {"size": 500_000}}, {**_SET, "data": 1}, _BACK], end=None),
    _in_a_row(
        "looked at",
        [_SET, _GO],
        AtRest(0, 0, Request("/runs", method="GET")),
        AtRest(0, 0, Request("/health", method="GET")),
        AtRest(0, 0, Request("/workflows", method="GET")),
        AtRest(0, 0, Request("/workflows/put", {"nodes": [{"id": "only", "type": "core:set"}]}, method="PUT")),
        AtRest(0, 0, Request("history", method="GET")),
        AtRest(0, SECOND, Request("signals/go", "seen", "1")),
        end=End("completed", "seen"),
    ),
    _in_a_row("strays", [_SET], end=End("completed", None), strays=("{", '{"workflowId": "nobody", "wake": true}')),
    _in_a_row("kept for a day", [_SET, _LARGE], end=None, retention_days=1),
    _in_a_row("kept for a day, small", [_SET], end=None, retention_days=1),
    _in_a_row("four steps at once", [_SET, _SET, _LARGE, _LARGE, _SET], end=None, steps_per_invocation=4),
)

# --- by chance ---------------------------------------------------------------------------------

_SHORT_MS: Final = (0, 1, 10, 700, 5 * SECOND, 100 * SECOND)
_LONG_MS: Final = (899_999, 900_000, 900_001, HOUR, 25 * HOUR)


def random_program(seed: int) -> Program:
    """A workflow that chance has drawn, with what happens to it."""
    return _Author(random.Random(f"program {seed}")).written(f"random-{seed}")  # noqa: S311


@dataclass(slots=True)
class _Author:
    """Writes a program block by block: each block goes on from the ends of the one before."""

    rng: random.Random
    nodes: list[JsonValue] = field(default_factory=list)
    edges: list[JsonValue] = field(default_factory=list)
    ends: list[tuple[str, str | None]] = field(default_factory=list)
    flags: list[JsonValue] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    raced: bool = False
    rests: int | None = 0
    """Rests so far, as long as that is known: not within what is repeated or skipped."""

    def written(self, name: str) -> Program:
        blocks = self.rng.choice((1, 2, 2, 3, 3, 4))
        self._chain()
        self._blocks(blocks, depth=0)
        self._add("sim:chain", {"all": "{{ previous }}", "run": "{{ run.input.flags }}"})
        self._from_outside()
        return Program(
            name=name,
            definition={"name": name, "nodes": self.nodes, "edges": self.edges},
            input={"flags": self.flags, "text": "x" * self.rng.choice((0, 10, 600, 3000))},
            actions=tuple(self.actions),
            end=None,
            steps_per_invocation=self.rng.choice((1, 1, 2, 3, 4)),
            retention_days=self.rng.choice((None, None, None, 1, 2)),
        )

    # --- the means -----------------------------------------------------------------------------

    def _add(self, node_type: str, data: JsonValue = None, **policy: JsonValue) -> str:
        node_id = f"n{len(self.nodes)}"
        document: JsonObject = {"id": node_id, "type": node_type}
        if data is not None:
            document["data"] = data
        if policy:
            document["policy"] = dict(policy)
        self.nodes.append(document)
        for source, handle in self.ends:
            self._edge(source, handle, node_id)
        self.ends = [(node_id, None)]
        return node_id

    def _edge(self, source: str, handle: str | None, target: str) -> None:
        edge: JsonObject = {"source": source, "target": target}
        if handle is not None:
            edge["sourceHandle"] = handle
        self.edges.append(edge)

    def _blocks(self, count: int, depth: int) -> None:
        kinds: list[tuple[Callable[[int], None], int]] = [
            (lambda _depth: self._chain(), 3),
            (lambda _depth: self._large(), 2),
            (lambda _depth: self._flaky(), 4),
            (lambda _depth: self._wait(), 5),
            (lambda _depth: self._sleep(), 3),
            (lambda _depth: self._once(), 2),
            (lambda _depth: self._mended(), 1),
            (lambda _depth: self._plain("sim:secretive"), 1),
            (lambda _depth: self._plain("sim:keyed"), 1),
        ]
        if depth < 2:
            kinds += [(self._branch, 2), (self._loop, 3)]
        if depth == 0:
            kinds += [(lambda _depth: self._long(), 1)]
        for _ in range(count):
            block = self.rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
            block(depth)

    # --- blocks --------------------------------------------------------------------------------

    def _chain(self) -> None:
        self._add("sim:chain", {"n": len(self.nodes), "previous": "{{ previous }}"})

    def _plain(self, node_type: str) -> None:
        self._add(node_type, "{{ previous }}")

    def _large(self) -> None:
        size = self.rng.choice((600, 1500, 3000, 6000, 20_000))
        if self.rng.random() < 0.05:
            size = 500_000
        node_id = self._add("sim:large", {"size": size, "previous": "{{ previous }}"})
        if self.rng.random() < 0.5:
            self._chain()
            self._add("sim:chain", {"back": f"{{{{ nodes.{node_id}.last.data }}}}", "previous": "{{ previous }}"})

    def _flaky(self) -> None:
        failures = self.rng.choice((0, 1, 1, 2, 3))
        attempts = self.rng.choice((2, 3, 4))
        retry: JsonObject = {"maxAttempts": attempts, "interval": self.rng.choice((*_SHORT_MS, *_LONG_MS))}
        if self.rng.random() < 0.3:
            retry.update(backoff="exponential", rate=3)
        if self.rng.random() < 0.3:
            retry["jitter"] = "full"
        node_id = self._add("sim:flaky", {"failures": failures, "previous": "{{ previous }}"}, retry=retry)
        if failures >= attempts:
            self._caught(node_id, self.rng.choice(("error", "error:Busy")))

    def _caught(self, node_id: str, handle: str) -> None:
        """A handler that joins the way of success."""
        success, self.ends = self.ends, [(node_id, handle)]
        self._add("sim:chain", {"caught": f"{{{{ nodes.{node_id}.last.error }}}}", "previous": "{{ previous }}"})
        self.ends += success

    def _wait(self) -> None:
        signal = f"signal-{len(self.nodes)}"
        timeout_ms = self.rng.choice((None, None, *_SHORT_MS[3:], *_LONG_MS))
        data: JsonObject = {"signal": signal}
        if timeout_ms is not None:
            self.raced = True
            data["timeoutMs"] = timeout_ms
        node_id = self._add("core:wait", data)
        self.ends.append((node_id, "timeout"))
        if timeout_ms is None:
            self.ends.pop()
        self._add("sim:chain", {"came": f"{{{{ nodes.{node_id}.last.data }}}}", "previous": "{{ previous }}"})
        # As many as the run can come to need, and sometimes one more; some twice by the same key.
        times = 1 if self.rests is not None else 4
        for number in range(times + self.rng.randrange(2)):
            if timeout_ms is not None and self.rng.random() < 0.4:
                continue
            after_ms = self.rng.choice((0, 5, SECOND, 70 * SECOND, 10 * MINUTE, 2 * HOUR))
            payload: JsonValue = {"for": signal, "text": "y" * self.rng.choice((0, 0, 700))}
            request = Request(f"signals/{signal}", payload, f"{signal}-{number}")
            self.actions.append(Timed(after_ms, request))
            if self.rng.random() < 0.2:
                self.actions.append(Timed(after_ms + self.rng.choice((0, 1, SECOND, DAY)), request))
        if self.rests is not None:
            self.rests += 1

    def _sleep(self) -> None:
        self._add("core:sleep", {"ms": self.rng.choice((*_SHORT_MS, *_LONG_MS))})
        self._chain()
        if self.rests is not None:
            self.rests += 1

    def _once(self) -> None:
        node_id = self._add("sim:chain", {"once": "{{ previous }}"}, atMostOnce=True)
        if self.rng.random() < 0.7:
            self._caught(node_id, self.rng.choice(("error", "error:Interrupted")))

    def _mended(self) -> None:
        if self.rests is None:
            return
        self._add("sim:mended", {"previous": "{{ previous }}"})
        after_ms = self.rng.choice((0, SECOND, HOUR))
        self.actions.append(AtRest(self.rests, after_ms, Request("retry", None, f"mend-{self.rests}")))
        self.rests += 1

    def _branch(self, depth: int) -> None:
        self.flags.append(self.rng.random() < 0.5)
        rests, self.rests = self.rests, None
        fork = self._add("core:if", {"when": f"{{{{ run.input.flags[{len(self.flags) - 1}] }}}}"})
        ends = []
        for handle in ("true", "false"):
            self.ends = [(fork, handle)]
            self._blocks(self.rng.choice((1, 1, 2)), depth + 1)
            ends += self.ends
        self.ends = ends
        self._chain()
        # Waits within a branch may not have happened: from here on it is not known how often the run has rested.
        self.rests = rests if not self._rests_since(fork) else None

    def _loop(self, depth: int) -> None:
        rests, self.rests = self.rests, None
        head = self._add("core:repeat", {"times": self.rng.choice((0, 1, 2, 3))})
        self.ends = [(head, "loop")]
        self._blocks(self.rng.choice((1, 1, 2)), depth + 1)
        for source, handle in self.ends:
            self._edge(source, handle, head)
        self.ends = [(head, "done")]
        self._chain()
        self.rests = rests if not self._rests_since(head) else None

    def _rests_since(self, node_id: str) -> bool:
        return any(
            isinstance(node, dict) and node["type"] in {"core:wait", "core:sleep", "sim:mended"}
            for node in self.nodes[int(node_id[1:]) :]
        )

    def _long(self) -> None:
        """So many steps that segments are sealed, or so many nodes that the index of nodes is spilled."""
        if self.rng.random() < 0.25:
            for _ in range(self.rng.choice((66, 75))):
                self._add("sim:chain", "{{ previous }}")
            return
        head = self._add("core:repeat", {"times": self.rng.choice((20, 40))})
        self.ends = [(head, "loop")]
        body = self._add("sim:chain", {"n": "{{ previous }}", "pad": "z" * 100})
        self._edge(body, None, head)
        self.ends = [(head, "done")]
        self._add("sim:looking-back", {"node": body})

    # --- from outside --------------------------------------------------------------------------

    def _from_outside(self) -> None:
        """Operators, now and then."""
        chance = self.rng.random()
        after_ms = self.rng.choice((0, 1, 20, 3 * SECOND, 20 * MINUTE, 3 * HOUR))
        if chance < 0.15:
            self.actions.append(Timed(after_ms, Request("pause", None, "hold")))
            lifted = after_ms + self.rng.choice((0, 1, 30, 10 * SECOND, 30 * MINUTE))
            self.actions.append(Timed(lifted, Request("resume", None, "lift")))
        elif chance < 0.25:
            self.raced = True
            self.actions.append(Timed(after_ms, Request("cancel", None, "cancel")))
            if self.rng.random() < 0.3:
                self.actions.append(Timed(after_ms, Request("cancel", None, "cancel again")))
        elif chance < 0.3:
            self.actions.append(Timed(after_ms, Request("retry", None, "too early")))
        if self.rng.random() < 0.15:
            self._fork(after_ms)
        if self.rng.random() < 0.1:
            self.actions.append(AtEnd(self.rng.choice(_SHORT_MS), Request("", method="DELETE")))
        if self.rng.random() < 0.1:
            path = self.rng.choice(("", "history", "/runs", "/health"))
            self.actions.append(Timed(after_ms, Request(path, method="GET")))
            self.actions.append(AtEnd(0, Request(path, method="GET")))

    def _fork(self, after_ms: int) -> None:
        version = self.rng.choice((None, None, 0, 1, 2, 5))
        body: JsonValue = None if version is None else {"version": version}
        request = Request("fork", body, "fork")
        if self.rng.random() < 0.5:
            self.actions.append(AtEnd(self.rng.choice((0, SECOND, DAY - MINUTE, DAY, DAY + MINUTE)), request))
        else:
            self.actions.append(Timed(after_ms, request))
