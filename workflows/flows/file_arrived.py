"""file-arrived: a file put into a bucket starts the run; what becomes of it depends on its kind."""

from __future__ import annotations

from typing import Final

from engine import Flow
from workflows.nodes.files import record

INPUT: Final = {
    "type": "object",
    "description": "detail of S3's event Object Created",
    "required": ["bucket", "object"],
    "properties": {
        "bucket": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        "object": {
            "type": "object",
            "required": ["key"],
            "properties": {"key": {"type": "string", "minLength": 1}, "size": {"type": "integer", "minimum": 0}},
        },
    },
}

flow = Flow("file-arrived", description="Notes a file that has come, and decides what becomes of it.", input=INPUT)

recorded = flow.node(
    "recorded",
    record,
    {
        "bucket": "{{ run.input.bucket.name }}",
        "key": "{{ run.input.object.key }}",
        "size": "{{ run.input.object.size || 0 }}",
    },
)
empty = flow.if_("empty", "{{ nodes.recorded.last.data.size == 0 }}")
refused = flow.fail("refused", "EmptyFile", "{{ nodes.recorded.last.data.file }} has no bytes in it")
kind = flow.switch("kind", "{{ nodes.recorded.last.data.suffix }}", ["csv", "jpg", "png"])
table = flow.set("table", {"file": "{{ nodes.recorded.last.data.file }}", "as": "table", "next": "order-lines"})
picture = flow.set("picture", {"file": "{{ nodes.recorded.last.data.file }}", "as": "picture"})
other = flow.set("other", {"file": "{{ nodes.recorded.last.data.file }}", "as": "other", "next": "a person looks"})

recorded >> empty
empty["true"] >> refused
empty["false"] >> kind
kind["csv"] >> table
[kind["jpg"], kind["png"]] >> picture
kind["default"] >> other
