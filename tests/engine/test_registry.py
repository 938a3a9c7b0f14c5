"""The registry: what the decorator reads of a function, and what it refuses."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from engine import NodeDefinition, Registry, RetryPolicy, Step, WorkflowDefinition
from engine.errors import InvalidDefinition, UnknownWorkflow
from tests.engine.one_node import NOW_MS, engine_of, first_step, result_of

if TYPE_CHECKING:
    from decimal import Decimal as OnlyWhenChecking


class Taken(BaseModel):
    """An input."""

    n: int


class Given(BaseModel):
    """An output."""

    n: int


def definition_of(executor: Any, **options: Any) -> NodeDefinition:
    """What the decorator makes of a function."""
    registry = Registry()
    assert registry.node("test:it", **options)(executor) is executor
    return registry.node_definitions["test:it"]


def plain(data: Taken) -> Given:
    """Data alone."""
    return Given(n=data.n + 1)


def with_step(data: Taken, step: Step) -> Given:
    """Data and the step."""
    return Given(n=data.n + step.attempt)


async def asynchronous(data: Taken, _step: Step) -> Given:
    """An async function."""
    return Given(n=data.n)


class Callable:
    """An object that can be called."""

    def __call__(self, data: Taken) -> Given:
        """Like ``plain``."""
        return plain(data)

    async def later(self, data: Taken, step: Step) -> Given:
        """A bound async method."""
        return with_step(data, step)


@pytest.mark.parametrize(
    ("executor", "takes_step", "is_async"),
    [
        (plain, False, False),
        (with_step, True, False),
        (asynchronous, True, True),
        (Callable(), False, False),
        (Callable().later, True, True),
    ],
    ids=["data", "data and step", "async", "callable object", "bound method"],
)
def test_schemas_come_from_the_annotations(executor: Any, takes_step: bool, is_async: bool) -> None:
    """A pydantic model in the first parameter's annotation is the input, one in the result's the output."""
    definition = definition_of(executor)
    assert (definition.input, definition.output) == (Taken, Given)
    assert (definition.takes_step, definition.is_async) == (takes_step, is_async)


def test_schemas_that_are_given_win() -> None:
    """What the decorator is told goes before what the annotations say."""
    definition = definition_of(plain, input={"type": "object"}, output=Taken)
    assert (definition.input, definition.output) == ({"type": "object"}, Taken)


@pytest.mark.parametrize(
    "executor", [lambda data: data, functools.partial(plain), len], ids=["function", "partial", "builtin"]
)
def test_no_annotations_mean_no_schemas(executor: Any) -> None:
    """Whatever can be called and takes data is an executor, annotated or not."""
    definition = definition_of(executor)
    assert (definition.input, definition.output) in {(None, None), (Taken, Given)}


def test_an_executor_is_given_the_model_and_may_return_one() -> None:
    """The input model's instance goes in; the output model's JSON is stored."""
    assert result_of(first_step(engine_of(with_step, {"n": "{{ 4 }}"}))).output == {"n": 5}


@pytest.mark.parametrize(
    "executor",
    [lambda: 1, lambda a, b, c: (a, b, c), lambda *, data: data],
    ids=["nothing", "three", "by keyword alone"],
)
def test_a_function_that_cannot_be_called_with_data_is_refused(executor: Any) -> None:
    """The mistake is raised where the function is registered, not when a run comes to it."""
    with pytest.raises(TypeError, match=r"must take \(data\) or \(data, step\)"):
        definition_of(executor)


def test_a_name_imported_for_checking_only_is_explained() -> None:
    """``if TYPE_CHECKING`` hides the model from the registry; the message says so and what to do."""

    def executor(data: OnlyWhenChecking) -> object:
        return data

    with pytest.raises(TypeError, match=r"'OnlyWhenChecking', which is not imported at run time.*TYPE_CHECKING"):
        definition_of(executor)


def test_a_type_is_registered_once() -> None:
    """A second function for a type, core types included, would silently replace the first: it is refused."""
    registry = Registry()
    registry.node("test:it")(plain)
    for taken in ("test:it", "core:set"):
        with pytest.raises(ValueError, match=f"'{taken}' is registered already"):
            registry.node(taken)(with_step)
    assert registry.node_definitions["test:it"].executor is plain


def test_a_function_knows_its_type() -> None:
    """The builder names nodes by function; one that is not registered is told how to be."""
    registry = Registry()
    registry.node("test:it")(plain)
    assert registry.node_type_of(plain) == "test:it"
    with pytest.raises(ValueError, match=r"@registry\.node"):
        registry.node_type_of(with_step)


def test_a_workflow_is_registered_once_by_its_name() -> None:
    """Two workflows of one name are a mistake; an unknown name lists those there are."""
    registry = Registry()
    document = {"name": "order", "nodes": [{"id": "a", "type": "core:set"}]}
    definition = registry.add(document)
    assert registry.workflow("order") is definition
    with pytest.raises(InvalidDefinition, match="registered already"):
        registry.add(WorkflowDefinition.parse(document))
    with pytest.raises(UnknownWorkflow, match="registered: order"):
        registry.workflow("oder")


def test_globals_are_asked_for_and_never_stored() -> None:
    """The provider is asked at each step; what it gives reaches expressions and is not in the snapshot."""
    asked: list[int] = []

    def provide() -> dict[str, Any]:
        asked.append(1)
        return {"secrets": {"token": "canary"}}

    registry = Registry(globals_provider=provide)
    document = {"nodes": [{"id": "it", "type": "core:set", "data": {"length": "{{ globals.secrets.token|length }}"}}]}
    engine = registry.engine(WorkflowDefinition.parse(document))
    initial = engine.create_initial_snapshot("run-1", now_ms=NOW_MS)
    snapshot = engine.execute_step(initial, globals=registry.globals(), now_ms=NOW_MS)
    assert asked == [1]
    assert snapshot.output == {"length": 6}
    assert "canary" not in str(snapshot.to_json())
    assert Registry().globals() == {}


def test_policies_are_a_list_whoever_wrote_them() -> None:
    """One policy, several or none: readers see a sequence."""
    policy = RetryPolicy(2, 1)
    assert definition_of(plain).policies == ()
    assert definition_of(plain, retry_policy=policy).policies == (policy,)
    assert definition_of(plain, retry_policy=[policy, policy]).policies == (policy, policy)


@pytest.mark.parametrize("policy", [3, {"maxAttempts": 3, "interval": 10}, [{"maxAttempts": 3}], "often"])
def test_a_retry_policy_of_another_kind_is_refused_at_once(policy: Any) -> None:
    """Not when the first step fails."""
    with pytest.raises(TypeError, match=r"retry_policy is .* it must be a RetryPolicy"):
        Registry().node("n", retry_policy=policy)(lambda data: data)
