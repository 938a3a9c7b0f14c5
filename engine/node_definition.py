"""What a node type is: an executor with its schemas, handles and retry policy."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, Union

from engine.json_value import JsonValue
from engine.retry import RetryPolicy

if TYPE_CHECKING:
    from pydantic import BaseModel

Executor: TypeAlias = Callable[..., object] | Callable[..., Awaitable[object]]
"""``executor(data, step)`` or ``executor(data)``, plain or async."""

Schema: TypeAlias = Union["type[BaseModel]", Mapping[str, object]]
"""A pydantic model or a JSON Schema document."""


Handles: TypeAlias = Sequence[str] | Callable[[JsonValue], Sequence[str] | None]
"""Named exits of a node type, or how they follow from a node's data (None: not known before it runs)."""


@dataclass(frozen=True, slots=True)
class NodeDefinition:
    """Behaviour of a node type.

    Args:
        executor: what is executed.
        retry_policy: one policy, or an ordered list matched by error type; a node's own ``policy.retry`` wins.
        input: what the resolved data must be; a pydantic model's instance is what the executor is given.
        output: what the result must be.
        handles: the named exits, or a function of the node's own data that gives them; None means that only
            the executor knows them.
        timeout_ms: how long one execution may take.
        raw: leaves ``{{ }}`` in the data alone, or in the data's fields of these names.
        metadata: anything for editors.
        hosted: whether it is executed by the host alone, where that can.
    """

    executor: Executor
    retry_policy: RetryPolicy | Sequence[RetryPolicy] | None = None
    input: Schema | None = None
    output: Schema | None = None
    handles: Handles | None = None
    timeout_ms: int | None = None
    raw: bool | Sequence[str] = False
    metadata: Mapping[str, JsonValue] | None = None
    hosted: bool = False
    takes_step: bool = field(init=False)
    is_async: bool = field(init=False)

    def __post_init__(self) -> None:
        policies: object = () if self.retry_policy is None else self.retry_policy
        if not isinstance(policies, RetryPolicy) and not (
            isinstance(policies, Sequence) and all(isinstance(policy, RetryPolicy) for policy in policies)
        ):
            raise TypeError(f"retry_policy is {policies!r}; it must be a RetryPolicy or a sequence of them")
        object.__setattr__(self, "takes_step", _takes_step(self.executor))
        object.__setattr__(self, "is_async", _is_async(self.executor))

    def handles_of(self, data: JsonValue) -> Sequence[str] | None:
        """The named exits of a node with that data; None when only the executor knows them."""
        return self.handles(data) if callable(self.handles) else self.handles

    def resolvable(self, data: JsonValue) -> JsonValue:
        """The part of the data in which expressions are resolved."""
        if self.raw is True:
            return None
        if self.raw is False or not isinstance(data, dict):
            return data
        return {key: item for key, item in data.items() if key not in self.raw}

    @property
    def policies(self) -> tuple[RetryPolicy, ...]:
        """The retry policies as a sequence."""
        if self.retry_policy is None:
            return ()
        return (self.retry_policy,) if isinstance(self.retry_policy, RetryPolicy) else tuple(self.retry_policy)


def _takes_step(executor: Executor) -> bool:
    parameters = inspect.signature(executor).parameters.values()
    positional = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL}]
    required = [p for p in positional if p.default is p.empty and p.kind is not p.VAR_POSITIONAL]
    named_only = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if not positional or named_only or len(required) > 2:  # noqa: PLR2004  (data, step)
        raise TypeError(f"{executor!r} must take (data) or (data, step)")
    return len(positional) > 1 or positional[0].kind is inspect.Parameter.VAR_POSITIONAL


def _is_async(executor: Executor) -> bool:
    return inspect.iscoroutinefunction(executor) or inspect.iscoroutinefunction(
        getattr(executor, "__call__", None)  # noqa: B004  (an object whose call is async)
    )
