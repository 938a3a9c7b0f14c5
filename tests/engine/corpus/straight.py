"""Shapes without a choice: one node, chains, a start elsewhere, joins of paths, values of every kind."""

from __future__ import annotations

from tests.engine.corpus.shape import Shape, drawn, node, set_

LONG = 60

STRAIGHT = (
    Shape(
        name="single node",
        definition=drawn({"only": set_({"done": True})}),
        status="completed",
        executed="only",
        output={"done": True},
    ),
    Shape(
        name="trigger gives the input",
        definition=drawn({"begin": node("core:trigger")}),
        status="completed",
        executed="begin",
        input={"id": 7},
        output={"id": 7},
    ),
    Shape(
        name="chain",
        definition=drawn(
            {
                "a": set_({"n": "{{ run.input.n }}"}),
                "b": set_({"n": "{{ nodes.a.last.data.n + 1 }}"}),
                "c": set_("{{ previous.n }} and {{ nodes.a.output.n }} of {{ run.id }}"),
            },
            "a -> b",
            "b -> c",
        ),
        status="completed",
        executed="a b c",
        input={"n": 1},
        output="2 and 1 of run-1",
    ),
    Shape(
        name="long chain",
        definition=drawn(
            {
                f"n{index}": set_(0 if index == 0 else f"{{{{ nodes.n{index - 1}.last.data + 1 }}}}")
                for index in range(LONG)
            },
            *(f"n{index} -> n{index + 1}" for index in range(LONG - 1)),
        ),
        status="completed",
        executed=" ".join(f"n{index}" for index in range(LONG)),
        output=LONG - 1,
    ),
    Shape(
        name="start named elsewhere",
        definition=drawn({"last": set_("{{ previous }}!"), "first": set_("begun")}, "first -> last", start="first"),
        status="completed",
        executed="first last",
        output="begun!",
    ),
    Shape(
        name="input and output are models",
        definition=drawn(
            {
                "order": set_({"item": "tea", "count": 3}),
                "price": node("test:price", {"item": "{{ previous.item }}", "count": "{{ previous.count }}"}),
                "bill": set_("{{ nodes.price.last.data.cents }} for {{ nodes.price.last.data.item }}"),
            },
            "order -> price",
            "price -> bill",
        ),
        status="completed",
        executed="order price bill",
        output="750 for tea",
    ),
    Shape(
        name="async executor",
        definition=drawn(
            {"once": node("test:double", {"number": 21}), "twice": node("test:double", {"number": "{{ previous }}"})},
            "once -> twice",
        ),
        status="completed",
        executed="once twice",
        output=84,
    ),
    Shape(
        name="raw node keeps its braces",
        definition=drawn({"page": node("test:keep", {"body": "Dear {{ name }}", "n": "{{ 1 +"})}),
        status="completed",
        executed="page",
        output={"body": "Dear {{ name }}", "n": "{{ 1 +"},
    ),
    Shape(
        name="values of every kind",
        definition=drawn(
            {
                "all": set_(
                    [None, True, False, 0, -1, 1.5, 10**30, "", "é😀 \u0000", [], {}, {"": {"a.b": [[1]]}}],
                ),
                "copy": set_("{{ previous }}"),
            },
            "all -> copy",
        ),
        status="completed",
        executed="all copy",
        output=[None, True, False, 0, -1, 1.5, 10**30, "", "é😀 \u0000", [], {}, {"": {"a.b": [[1]]}}],
    ),
    Shape(
        name="nothing in, nothing out",
        definition=drawn({"begin": node("core:trigger"), "next": node("core:trigger")}, "begin -> next"),
        status="completed",
        executed="begin next",
        output=None,
    ),
)
