"""What ``refluxo local`` says when it is up: where it serves, where its state is, and what to try first."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from engine.json_value import JsonValue, checked_copy
from engine.route import Route
from local.events import UPLOAD_BUCKET_NAME
from local.keeper import SAVE_SECONDS
from local.own_command import own_command
from local.stack import LocalStack

DEFAULT_PORT: Final = 8080
"""Where the other commands look for the stack."""

_EXAMPLE: Final = "content-approval"
_EXAMPLE_INPUT: Final = {"title": "Hi", "text": "Hello"}

_ANY_CREDENTIALS: Final = "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1"

# Operators of a pattern whose value, as it stands, is a value that matches.
_OPERATORS: Final = ("prefix", "suffix", "equals-ignore-case", "wildcard")


def greeting(stack: LocalStack, *, data: Path | None, reloads: bool) -> str:
    """The whole text."""
    return "\n".join(
        [*_where(stack, data, reloads=reloads), "", *_first_run(stack), *_first_event(stack), *_next(stack)]
    )


def document_of(stack: LocalStack, *, data: Path | None) -> str:
    """The same for a program that has started the stack, as one line of JSON."""
    return json.dumps(
        {
            "url": stack.url,
            "emulatorUrl": stack.emulator_url,
            "elsewhere": stack.elsewhere,
            "data": None if data is None else str(data),
            "requeued": stack.requeued,
            "workflows": stack.workflows,
        }
    )


def _where(stack: LocalStack, data: Path | None, *, reloads: bool) -> Iterator[str]:
    yield f"Refluxo serves {stack.url} over an emulated AWS at {stack.emulator_url}"
    for service, url in sorted(stack.elsewhere.items()):
        yield f"  {service} is at {url}"
    if data is None:
        yield "Its state is in memory, and goes when you stop it; --data FOLDER keeps it."
    else:
        again = f"; {stack.requeued} runs go on" if stack.requeued else ""
        yield f"Its state is kept in {data}, saved every {SAVE_SECONDS:.0f} seconds and when you stop it{again}."
    if reloads:
        yield "What you save in your code and definitions is loaded at once."


def _first_run(stack: LocalStack) -> Iterator[str]:
    name = _EXAMPLE if _EXAMPLE in stack.workflows else next(iter(stack.workflows), None)
    if name is None:
        yield "Your registry has no workflow yet: add one, save, and it is here."
        return
    schema = stack.app.registry.workflow(name).input
    body = json.dumps({"input": _EXAMPLE_INPUT if name == _EXAMPLE else example_input(schema)})
    yield "Start a run:"
    yield from _post(f"{stack.url}/workflows/{name}/runs", body)


def _first_event(stack: LocalStack) -> Iterator[str]:
    routes = stack.app.registry.routes
    if not routes:
        return
    event = example_event(routes[0])
    yield ""
    yield f"Send an event, such as one for {routes[0].workflow}:"
    yield from _post(f"{stack.url}/local/events", json.dumps(event))
    if event.get("source") == "aws.s3":
        yield "or upload a file; any credentials do:"
        yield f"  {_ANY_CREDENTIALS} \\"
        yield f"    aws --endpoint-url {stack.emulator_url} s3 cp FILE s3://{UPLOAD_BUCKET_NAME}/"


def _next(stack: LocalStack) -> Iterator[str]:
    at = "" if stack.url.endswith(f":{DEFAULT_PORT}") else f" --url {stack.url}"
    command = own_command()
    yield ""
    yield f"See your runs with `{command} list{at}`, and one with `{command} show ID --watch{at}`. Ctrl-C stops."
    yield ""


def _post(url: str, body: str) -> Iterator[str]:
    yield f"  curl -s {url} \\"
    yield f"    -H 'content-type: application/json' -d {shlex.quote(body)}"


def example_input(schema: object) -> JsonValue:
    """A value as a JSON Schema asks for, with the fields that must be there; one to begin with, not one to rely on."""
    if not isinstance(schema, Mapping):
        return {}
    for word in ("examples", "enum"):
        values = schema.get(word)
        if isinstance(values, list) and values:
            return checked_copy(values[0])
    for word in ("default", "const"):
        if word in schema:
            return checked_copy(schema[word])
    properties, kind = schema.get("properties"), schema.get("type")
    if kind == "object" or isinstance(properties, Mapping):
        fields = properties if isinstance(properties, Mapping) else {}
        return {name: example_input(fields.get(name)) for name in schema.get("required") or ()}
    return _OF_A_TYPE.get(str(kind), {})


_OF_A_TYPE: Final[Mapping[str, JsonValue]] = {
    "string": "example",
    "integer": 1,
    "number": 1,
    "boolean": True,
    "array": [],
    "null": None,
}


def example_event(route: Route) -> dict[str, object]:
    """An event made of what a route's pattern asks for; it matches unless the pattern asks for something unusual."""
    example = _example(route.pattern)
    of_s3 = example.get("source") == "aws.s3"
    return _merged(_UPLOAD if of_s3 else {"source": "example", "detail-type": "Example", "detail": {}}, example)


# As S3 tells of an object. It has no sequencer, so each time it is sent it is another event.
_UPLOAD: Final[Mapping[str, object]] = {
    "source": "aws.s3",
    "detail-type": "Object Created",
    "detail": {"bucket": {"name": UPLOAD_BUCKET_NAME}, "object": {"key": "example.csv", "size": 42}},
}


def _merged(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Both, member by member; what is in both is of the one above."""
    merged = {**below, **above}
    for name, value in above.items():
        under = below.get(name)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            merged[name] = _merged(under, value)
    return merged


def _example(pattern: Mapping[str, object]) -> dict[str, object]:
    members = {name: value for name, value in pattern.items() if not name.startswith("$")}
    return {
        name: _example(value) if isinstance(value, Mapping) else _example_value(value)
        for name, value in members.items()
    }


def _example_value(choices: object) -> object:
    """A value that the first alternative takes."""
    first = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(first, Mapping):
        return first
    for operator in _OPERATORS:
        value = first.get(operator)
        if isinstance(value, str):
            return {"prefix": f"{value}example", "suffix": f"example{value}"}.get(
                operator, value.replace("*", "example")
            )
    return "example"
