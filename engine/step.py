"""What an executor is told about the step it executes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from engine.context import Context, ContextView
from engine.json_value import JsonValue
from engine.outcome import Resumed, Wait

_NO_GLOBALS: Final[Mapping[str, JsonValue]] = {}
_NO_EXITS: Final[Mapping[str | None, str]] = {}
_NO_EXECUTORS: Final[Mapping[str, Callable[..., object]]] = {}


class WaitAddress(NamedTuple):
    """One wait of a run: the resumes-th within the visit-th entry into a node."""

    node_id: str
    visit: int
    resumes: int


class Host(NamedTuple):
    """What the shell knows about an execution and the engine does not.

    Args:
        nonce: random text fixed at the run's start, so that two runs of one id differ; the run's id when None.
        retry_epoch: raised by an operator's retry with changed data.
        deadline_ms: when the host stops the step, epoch milliseconds.
        callback_url: makes the capability URL of a wait.
        signal_url: makes a capability URL for a signal, by its name.
        announces: whether the host calls ``WorkflowEngine.announce`` itself, once a step is saved.
        executors: what executes the node types that the engine only describes, by type; each is called with
            ``(data, step)``.
        raised: told of each error that an executor raises: a snapshot keeps no more of it than type and message.
    """

    nonce: str | None = None
    retry_epoch: int = 0
    deadline_ms: int | None = None
    callback_url: Callable[[WaitAddress], str] | None = None
    signal_url: Callable[[str], str] | None = None
    announces: bool = False
    executors: Mapping[str, Callable[..., object]] = _NO_EXECUTORS
    raised: Callable[[BaseException], None] | None = None


_NO_HOST: Final = Host()


class Step(NamedTuple):
    """One execution of a node, as its executor sees it; a named tuple, for one is made on every step.

    ``attempt`` counts the executions within this visit and ``visit`` the entries into the node, both from 1.
    ``external_payload`` is what came from outside (Refluxo's name): the start's payload for the first step,
    the signal's for a resumed one. ``resumed`` says why a wait ended, None on a first execution; ``wait`` is
    the one that ended, None unless this very execution ends it. ``exits`` are the node's edges: targets by handle.
    """

    workflow_id: str
    node_id: str
    attempt: int
    visit: int
    results: Context
    external_payload: JsonValue = None
    resumed: Resumed | None = None
    globals: Mapping[str, JsonValue] = _NO_GLOBALS
    resumes: int = 0
    wait: Wait | None = None
    host: Host = _NO_HOST
    exits: Mapping[str | None, str] = _NO_EXITS

    def __repr__(self) -> str:
        # Globals hold secrets, which must not come into a log by way of a step.
        return f"<Step {self.node_id!r} of {self.workflow_id!r}, visit {self.visit}, attempt {self.attempt}>"

    @property
    def context(self) -> ContextView:
        """The run's results by node id, to read: a copy of each, so that what is done to it changes nothing."""
        return ContextView(self.results)

    def connects(self, handle: str | None) -> bool:
        """Whether an edge leaves this node by that handle; None is the unnamed one. Catch edges are not asked."""
        return handle in self.exits

    @property
    def idempotency_key(self) -> str:
        """The same text for every duplicate and automatic retry of this step, another for any other step.

        UUID-shaped SHA-256 of run nonce, node, visit, resumes taken in this visit and retry epoch
        (dispatch-protocol.md, Identity). Give it to whatever the step calls.
        """
        import hashlib  # noqa: PLC0415  (OpenSSL takes 5 ms, which only steps that ask for a key need)

        nonce = self.host.nonce if self.host.nonce is not None else self.workflow_id
        parts = (nonce, self.node_id, str(self.visit), str(self.resumes), str(self.host.retry_epoch))
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"

    @property
    def deadline_ms(self) -> int | None:
        """When the host stops this step, epoch milliseconds; None where nothing does."""
        return self.host.deadline_ms

    @property
    def callback_url(self) -> str | None:
        """Capability URL that resumes the wait this step asks for; None where no webhook can arrive."""
        if self.host.callback_url is None:
            return None
        return self.host.callback_url(WaitAddress(self.node_id, self.visit, self.resumes))
