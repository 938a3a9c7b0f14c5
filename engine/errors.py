"""Every error the engine raises or records. Imports nothing, so that any module may import it."""

from __future__ import annotations


class RefluxoError(Exception):
    """Base of the engine's own errors."""


class Fault:
    """One thing wrong with a document: where (a JSON path), what, and what to do about it."""

    __slots__ = ("message", "path")

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        self.message = message

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fault) and (self.path, self.message) == (other.path, other.message)

    def __hash__(self) -> int:
        return hash((self.path, self.message))

    def __repr__(self) -> str:
        return f"Fault({self.path!r}, {self.message!r})"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class InvalidDefinition(RefluxoError):
    """A workflow cannot run as written; ``faults`` holds everything found, not the first only."""

    def __init__(self, name: str, faults: tuple[Fault, ...]) -> None:
        self.name = name
        self.faults = faults
        super().__init__(f"workflow {name!r} is not valid:\n" + "\n".join(f"  {fault}" for fault in faults))


class InvalidRoute(RefluxoError):
    """A route can start no run as written; ``faults`` holds everything found, not the first only."""

    def __init__(self, name: str, faults: tuple[Fault, ...]) -> None:
        self.name = name
        self.faults = faults
        super().__init__(f"route {name!r} is not valid:\n" + "\n".join(f"  {fault}" for fault in faults))


class InvalidFlow(RefluxoError):
    """A line of a flow cannot be: raised by that line, with what to write instead."""


class InvalidSnapshot(RefluxoError):
    """A JSON document is not a snapshot this engine can go on with."""


class IllegalTransition(RefluxoError):
    """The transition table has no row for this status and outcome."""


class UnknownWorkflow(RefluxoError):
    """No workflow of that name, or of that name and version, is registered."""


class UnknownNodeType(RefluxoError):
    """A node's type is not registered (any more)."""


class UnmatchedHandle(RefluxoError):
    """A node chose a handle that has no edge and that its type does not declare: most likely a typo."""


class InvalidInput(RefluxoError):
    """A node's resolved data, or a run's input, breaks its schema. Never retried: it would break again."""


class InvalidOutput(RefluxoError):
    """A node returned a value that JSON cannot hold, or one that breaks its schema. Never retried."""


class PayloadTooLarge(RefluxoError):
    """A value is larger than the storage takes. Never retried: it would be as large again."""


class NeedsHost(RefluxoError):
    """The node type does I/O or makes other runs, which is a host's to do, and this one does not."""


class EventLoopRunning(RefluxoError):
    """An async executor was called from a thread that runs an event loop: the host must use execute_step_async."""


class WorkflowFailure(RefluxoError):
    """A ``core:fail`` node failed the run on purpose, with an error type and message of the author's own."""

    def __init__(self, error: str, message: str) -> None:
        self.error = error
        self.message = message
        super().__init__(message)


_SHOWN_MAX = 200
"""Characters of an expression shown in a message: enough to know it again."""


class ExpressionError(RefluxoError):
    """A ``{{ }}`` expression cannot be parsed or evaluated.

    ``position`` is the 0-based offset of the fault in ``expression``, or None where it has no single place.
    """

    def __init__(self, message: str, *, expression: str, position: int | None = None) -> None:
        self.expression = expression
        self.position = position
        where = "" if position is None else f" at {position}"
        shown = expression if len(expression) <= _SHOWN_MAX else expression[:_SHOWN_MAX] + "…"
        super().__init__(f"{message}{where} in {shown!r}")


class ExpressionBudgetExceeded(ExpressionError):
    """An expression is deeper, longer or slower than the budgets in limits.py allow."""
