"""``callbackUrl``: links that a host makes and an expression sends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine import Host, Registry, Snapshot, Status
from engine.errors import InvalidDefinition
from engine.expressions import JexlTransformEngine
from engine.json_value import JsonValue
from engine.naming import valid_name
from tests.engine.one_node import NOW_MS, PATIENT, core_engine, engine_of, first_step, result_of


class Links:
    """A host's maker of links: notes the signals it was asked for, and refuses what no signal can be called."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, signal: str) -> str:
        """The link for a signal."""
        self.asked.append(signal)
        if not valid_name(signal):
            raise ValueError(f"{signal!r} cannot name a signal")
        return f"https://example.com/webhooks/{signal}"


def step_with(data: JsonValue, links: Callable[[str], str] | None, payload: JsonValue = None) -> Snapshot:
    """The first step of a node with that data, which would be retried if it may be."""
    return first_step(core_engine("core:set", data, policy=PATIENT), payload, host=Host(signal_url=links))


@pytest.mark.parametrize(
    ("data", "payload", "output"),
    [
        ("{{ 'decision'|callbackUrl }}", None, "https://example.com/webhooks/decision"),
        ("Go to {{ run.input|callbackUrl }}!", "a.b:c", "Go to https://example.com/webhooks/a.b:c!"),
        ({"yes": ["{{ 'y'|callbackUrl }}"]}, None, {"yes": ["https://example.com/webhooks/y"]}),
        ("{{ 'x'|callbackUrl|upper }}", None, "HTTPS://EXAMPLE.COM/WEBHOOKS/X"),
    ],
    ids=["alone", "in text", "deep", "piped"],
)
def test_an_expression_sends_a_link(data: JsonValue, payload: JsonValue, output: JsonValue) -> None:
    """Made by the host for the signal that is named, wherever expressions stand."""
    assert step_with(data, Links(), payload).output == output


def test_a_link_is_made_when_it_is_asked_for() -> None:
    """Once for each, and none for a branch that is not taken."""
    links = Links()
    step_with(["{{ 'a'|callbackUrl }}", "{{ false && ('b'|callbackUrl) }}", "{{ 'c'|callbackUrl }}"], links)
    assert links.asked == ["a", "c"]


def test_it_needs_a_host() -> None:
    """Without one no webhook can arrive: the step fails for good, says so, and is not tried again."""
    snapshot = step_with("{{ 'decision'|callbackUrl }}", None)
    error = result_of(snapshot)
    assert (snapshot.status, error.error_type, error.attempt) == (Status.FAILED, "ExpressionError", 1)
    assert error.error is not None
    assert "no webhook can arrive here" in error.error


@pytest.mark.parametrize("name", ["", "two words", "a/b", "ü", "x" * 129, "-a"])
def test_a_name_the_host_refuses_is_an_expressions_fault(name: str) -> None:
    """With the host's own words; not tried again, for the name would be the same."""
    snapshot = step_with("{{ run.input|callbackUrl }}", Links(), name)
    error = result_of(snapshot)
    assert (snapshot.status, error.error_type) == (Status.FAILED, "ExpressionError")
    assert "cannot name a signal" in (error.error or "")


@pytest.mark.parametrize("value", [5, None, True, ["a"], {"a": 1}], ids=repr)
def test_what_is_no_text_names_no_signal(value: JsonValue) -> None:
    """The host is not even asked."""
    links = Links()
    error = result_of(step_with("{{ run.input|callbackUrl }}", links, value))
    assert (error.error_type, links.asked) == ("ExpressionError", [])
    assert "transform 'callbackUrl': expected text" in (error.error or "")


def test_it_takes_no_arguments() -> None:
    """One too many is the expression's fault, and no reason to try again."""
    links = Links()
    error = result_of(step_with("{{ 'a'|callbackUrl('b') }}", links))
    assert (error.error_type, links.asked) == ("ExpressionError", [])
    assert "takes no arguments" in (error.error or "")


def test_it_is_known_at_registration() -> None:
    """A workflow that sends links is valid without a host; an engine without the transform refuses it."""
    document = {"name": "w", "nodes": [{"id": "it", "type": "core:set", "data": "{{ 'a'|callbackUrl }}"}]}
    assert Registry().add(document).name == "w"
    with pytest.raises(InvalidDefinition, match="no transform is called 'callbackUrl'"):
        Registry(transform_engines=[JexlTransformEngine()]).add(document)


@pytest.mark.parametrize(
    "expression", ["{{ run.signalUrl }}", "{{ globals['@signalUrl'] }}", "{{ run['@signalUrl'] }}"]
)
def test_no_expression_reaches_the_maker_of_links_itself(expression: str) -> None:
    """Only the transform does."""
    links = Links()
    engine = engine_of(lambda data: data, expression)
    snapshot = first_step(engine, host=Host(signal_url=links), globals={})
    assert (snapshot.output, links.asked) == (None, [])


def test_links_of_a_later_step_are_those_of_its_own_host() -> None:
    """Each execution has the host it is called with."""
    engine = core_engine("core:set", "{{ 'a'|callbackUrl }}")
    initial = engine.create_initial_snapshot("run-1", now_ms=NOW_MS)
    hosts = [Host(signal_url="link {}".format), Host(signal_url="other link {}".format)]
    outputs = [engine.execute_step(initial, now_ms=NOW_MS, host=host).output for host in hosts]
    assert outputs == ["link a", "other link a"]
