"""Drawings: the same text for the same thing, for ever, and nothing an author writes can be more than a label."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    Flow,
    Registry,
    RetryPolicy,
    Snapshot,
    Status,
    WorkflowDefinition,
    mermaid,
    mermaid_run,
    mermaid_states,
)
from engine.core_nodes import CORE_NODES
from engine.drawing import node_state
from engine.limits import LABEL_CHARACTERS_MAX
from engine.transition import TRANSITIONS

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "drawings"

registry = Registry()


@registry.node("charge-card", retry_policy=RetryPolicy(2, 1000, retry_on=("TimeoutError",)))
def charge(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Takes the money; has its bad days."""
    if data["cents"] > 1000:
        raise ValueError("too much")
    if data["cents"] > 500:
        raise TimeoutError("the bank sleeps")
    return data


def order() -> WorkflowDefinition:
    """A payment, an approval and a way out of each."""
    flow = Flow("order", start="start")
    pay = flow.node("pay", charge, {"cents": "{{ run.input }}"})
    wait = flow.wait("approval", signal="decision", timeout=1000)
    ok = flow.if_("ok", "{{ nodes.approval.last.data.ok }}")
    flow.trigger("start") >> pay >> wait >> ok
    ok["true"] >> flow.set("shipped", True)
    [ok["false"], wait["timeout"], pay.catch(ValueError)] >> flow.fail("refused", "Refused")
    return flow.to_definition()


def rounds() -> WorkflowDefinition:
    """A loop in a loop."""
    flow = Flow("rounds")
    outer, inner = flow.repeat("outer", 2), flow.loop("inner", [1, 2, 3])
    outer["loop"] >> inner["loop"] >> flow.sleep("nap", "{{ run.input }}") >> inner
    inner["done"] >> outer
    return flow.to_definition()


def everything() -> WorkflowDefinition:
    """A node of each core type, and one of a user's."""
    data = {"core:switch": {"value": 1, "cases": ["a b", 1]}}
    nodes = [{"id": f"n.{t[5:]}", "type": t, "data": data.get(t, {})} for t in [*CORE_NODES, "core:of-the-future"]]
    edges = [
        {"source": "n.switch", "target": "n.if", "sourceHandle": "a b"},
        {"source": "n.switch", "target": "n.if", "sourceHandle": "1"},
        {"source": "n.switch", "target": "n.fail", "sourceHandle": "error"},
    ]
    return WorkflowDefinition.parse({"name": "everything", "nodes": nodes, "edges": edges})


DEFINITIONS = {"order": order(), "rounds": rounds(), "everything": everything()}


def runs() -> dict[str, tuple[WorkflowDefinition, Snapshot]]:
    """Runs in each state."""
    engine = registry.engine(DEFINITIONS["order"])
    fresh = engine.create_initial_snapshot("run", input=100, now_ms=0)
    waiting = engine.execute(fresh, now_ms=0)
    retrying = engine.execute(external_payload=600, now_ms=0)
    loops = registry.engine(DEFINITIONS["rounds"])
    nap = loops.execute(external_payload=10, now_ms=0)
    for _ in range(4):
        nap = loops.execute(nap, now_ms=0)
    return {
        "order-active": (DEFINITIONS["order"], fresh),
        "order-paused": (DEFINITIONS["order"], waiting),
        "order-error": (DEFINITIONS["order"], retrying),
        "order-completed": (DEFINITIONS["order"], engine.execute(waiting, external_payload={"ok": True}, now_ms=0)),
        "order-failed": (DEFINITIONS["order"], engine.execute(external_payload=2000, now_ms=0)),
        "rounds-paused": (DEFINITIONS["rounds"], nap),
    }


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_definition_is_drawn_as_recorded(name: str) -> None:
    """Shapes by kind, handles on edges, catch edges dotted."""
    assert mermaid(DEFINITIONS[name]) + "\n" == (GOLDEN / f"{name}.mmd").read_text("utf-8")


@pytest.mark.parametrize("name", runs())
def test_a_run_is_drawn_as_recorded(name: str) -> None:
    """The definition, each node in the class of its state, and how often it was entered."""
    definition, snapshot = runs()[name]
    assert mermaid_run(definition, snapshot) + "\n" == (GOLDEN / f"{name}.mmd").read_text("utf-8")


def test_each_drawing_on_record_is_tested() -> None:
    """No file is left over."""
    assert {path.stem for path in GOLDEN.iterdir()} == {*DEFINITIONS, *runs()}


def test_a_drawing_of_a_run_begins_with_that_of_its_definition() -> None:
    """So the two can be compared side by side."""
    definition, snapshot = runs()["order-completed"]
    assert mermaid_run(definition, snapshot).startswith(mermaid(definition) + "\n    classDef ")


def test_a_cancelled_run_shows_where_it_stood() -> None:
    """In a class of its own."""
    definition, snapshot = runs()["order-paused"]
    cancelled = Snapshot.from_json({**snapshot.to_json(), "status": "cancelled"})
    assert node_state(cancelled, "approval") == "cancelled"
    assert "class n1 cancelled" in mermaid_run(definition, cancelled)


def test_a_failure_that_was_caught_is_a_failed_node_of_a_run_that_went_on() -> None:
    """The node's newest result decides."""
    _, snapshot = runs()["order-failed"]
    assert node_state(snapshot, "pay") == "failed"
    assert snapshot.status is Status.FAILED
    assert snapshot.current_node_id == "refused"


def test_a_run_of_another_version_is_drawn_as_far_as_it_fits() -> None:
    """Nodes that the definition has no more are left out."""
    _, snapshot = runs()["order-paused"]
    other = WorkflowDefinition.parse({"name": "order", "nodes": [{"id": "pay", "type": "charge-card"}]})
    assert mermaid_run(other, snapshot).splitlines()[2:] == [
        '    n0["pay<br/>charge-card"]',
        "    start --> n0",
        "    classDef done fill:#d3f2dc,stroke:#1a7f37,color:#0b3d1a",
        "    class n0 done",
    ]


LINE = re.compile(
    r"""
    flowchart\ TD
    | \ {4}start\(\("\ "\)\)
    | \ {4}start\ -->\ n\d+
    | \ {4}n\d+(\[|\(|\{|>|\[/|\[\[|\{\{|\(\[)"(?:LABEL)<br/>(?:LABEL)"(\]|\)|\}|\\\]|/\]|\]\]|\}\}|\]\))
    | \ {4}n\d+\ (-->|-\.->)(\|"(?:LABEL)"\|)?\ n\d+
    """.replace("LABEL", r"(?:[^\W_]|\ |(?<=[A-Za-z0-9])[-_](?=[A-Za-z0-9])|\#\d+;)*"),
    re.VERBOSE,
)


HOSTILE = [
    'quote " and " quote',
    "]) --> n0; click n0 call alert(1)",
    "<script>alert(1)</script>",
    "%%{init: {'securityLevel': 'loose'}}%%",
    "---\nconfig:\n  theme: dark\n---",
    "`markdown` **bold** [link](javascript:alert(1))",
    "1. a list",
    "- a list",
    "#35; #quot; &lt;",
    "\ufb02\u00b0\u00b060\u00b6\u00df",
    "style n0 fill:#fff;",
    "classDef default fill:#000;",
    "fa:fa-skull $$x^2$$ www.example.com",
    "end",
    "a|b",
    "\u202egnp.exe\u0000\t\u2028",
]


def drawn(text: str) -> str:
    """A definition with that text wherever an author may put one."""
    return mermaid(
        WorkflowDefinition.parse(
            {
                "name": "hostile",
                "nodes": [{"id": "end", "type": text or " "}, {"id": "b", "type": "core:switch"}],
                "edges": [
                    {"source": "b", "target": "end", "sourceHandle": text or " "},
                    {"source": "end", "target": "end", "sourceHandle": f"error:{text or ' '}"},
                ],
            }
        )
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_a_label(text: str) -> None:
    """Every line of the drawing is one of ours, and only the label is theirs."""
    drawing = drawn(text)
    assert len(drawing.splitlines()) == 7
    for line in drawing.splitlines():
        assert LINE.fullmatch(line), line


@given(st.text(max_size=100))
def test_any_text_stays_a_label(text: str) -> None:
    """Whatever Unicode holds."""
    text = text.encode("utf-8", "ignore").decode("utf-8")
    drawing = drawn(text)
    assert len(drawing.split("\n")) == 7
    for line in drawing.split("\n"):
        assert LINE.fullmatch(line), line


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=LABEL_CHARACTERS_MAX))
def test_a_label_says_what_was_written(text: str) -> None:
    """Decoding Mermaid's escapes gives the text back."""
    label = drawn(text).splitlines()[5].split('"')[1]
    assert re.sub(r"#(\d+);", lambda match: chr(int(match.group(1))), label) == text


def test_a_long_text_is_cut() -> None:
    """A box is no page."""
    assert f'|"{"x" * (LABEL_CHARACTERS_MAX - 1)}#8230;"|' in drawn("x" * 500)


def test_the_state_diagram_has_each_row_of_the_table() -> None:
    """And nothing else but the beginning and the ends."""
    arrows = dict.fromkeys(re.findall(r"^    (\w+) --> (\w+): (.+)$", mermaid_states(), re.MULTILINE))
    rows = {(source, name, target) for source, target, outcomes in arrows for name in outcomes.split(", ")}
    assert rows == {(str(s), outcome.__name__, str(target)) for (s, outcome), target in TRANSITIONS.items()}
    assert re.findall(r"\[\*\] --> (\w+)", mermaid_states()) == ["active"]
    assert re.findall(r"(\w+) --> \[\*\]", mermaid_states()) == ["completed", "failed", "cancelled"]


def test_the_readme_shows_the_state_diagram_of_the_table() -> None:
    """Between its markers; to mend it, paste there what mermaid_states() returns."""
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme.count("<!-- states -->") == readme.count("<!-- /states -->") == 1
    block = readme.split("<!-- states -->")[1].split("<!-- /states -->")[0].strip()
    assert block == f"```mermaid\n{mermaid_states()}\n```"
