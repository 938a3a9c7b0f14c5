"""Routes: which events start which workflow, with what input, and by what two events are known to be one.

A route is checked when it is made. It starts nothing: the shell does, with the key that a route gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.content_hash import content_hash
from engine.errors import ExpressionError, Fault, InvalidRoute
from engine.event_pattern import EventPattern
from engine.json_value import JsonObject, JsonValue, checked_copy
from engine.limits import ID_CHARACTERS_MAX
from engine.naming import valid_name
from engine.templates import texts_with_template
from engine.transform import NameReader, TemplateValidator, TransformEngine

EVENT_NAME: Final = "event"
"""The one name that an input's expressions may read."""

WHOLE_DETAIL: Final = "{{ event.detail }}"
"""The input of a route that is given none."""

ROUTE_NAME_CHARACTERS_MAX: Final = ID_CHARACTERS_MAX - len("-") - 32
"""Length of a route's name: the runs it starts are called by it, a hyphen and the 32 digits of a content_hash."""


@dataclass(frozen=True, slots=True)
class Route:
    """What leads an event to a workflow.

    Args:
        name: names the route in logs and in the ids of its runs.
        pattern: which events, as in an EventBridge rule.
        workflow: the workflow that each of them starts.
        input: what the run is given, resolved.
    """

    name: str
    pattern: JsonObject
    workflow: str
    input: JsonValue
    _matcher: EventPattern = field(repr=False, compare=False)
    _transform_engines: Sequence[TransformEngine] = field(repr=False, compare=False)

    def matches(self, event: Mapping[str, object]) -> bool:
        """Whether the route is for an event, as EventBridge hands it over."""
        return self._matcher.matches(event)

    def start_input(self, event: Mapping[str, object]) -> JsonValue:
        """The input of the run that an event starts.

        Raises:
            ExpressionError: an expression cannot be evaluated for this event.
            InvalidOutput: JSON cannot hold the event.
        """
        names = {EVENT_NAME: checked_copy(event, EVENT_NAME)}
        resolved = checked_copy(self.input)
        for engine in self._transform_engines:
            resolved = engine.transform(resolved, names)
        return resolved

    def run_id(self, event: Mapping[str, object]) -> str:
        """The id of the run that an event starts: the same for every delivery of what is the same event."""
        return f"{self.name}-{content_hash([self.name, event_key(event)])}"


def event_key(event: Mapping[str, object]) -> str:
    """By what an event is known again.

    For a change of an S3 object bucket, key and sequencer, which S3 gives to each PUT and DELETE (S3 user guide,
    "Event message structure"), whatever ids its notifications have. Else the event's id; its content if it has none.
    """
    detail = event.get("detail")
    if event.get("source") == "aws.s3" and isinstance(detail, Mapping):
        bucket, changed = detail.get("bucket"), detail.get("object")
        if isinstance(bucket, Mapping) and isinstance(changed, Mapping) and isinstance(changed.get("sequencer"), str):
            return f"{bucket.get('name')}/{changed.get('key')}/{changed['sequencer']}"
    event_id = event.get("id")
    return event_id if isinstance(event_id, str) and event_id else content_hash(checked_copy(event, EVENT_NAME))


def make_route(
    pattern: Mapping[str, object],
    workflow: str,
    start_input: JsonValue,
    name: str | None,
    transform_engines: Sequence[TransformEngine],
) -> Route:
    """Makes a route.

    Without a name it is called after its workflow and its pattern.

    Raises:
        InvalidRoute: with every fault found, each with its JSON path.
        InvalidOutput: JSON cannot hold the pattern or the input.
    """
    faults: list[Fault] = []
    document, given = checked_copy(pattern, "$.pattern"), checked_copy(start_input, "$.input")
    matcher = EventPattern(document, "$.pattern", faults)
    faults += _input_faults(given, transform_engines)
    if name is None:
        suffix = f"-{content_hash(document)[:8]}"
        name = workflow[: ROUTE_NAME_CHARACTERS_MAX - len(suffix)] + suffix
    elif not valid_name(name) or len(name) > ROUTE_NAME_CHARACTERS_MAX:
        remedy = f"1 to {ROUTE_NAME_CHARACTERS_MAX} letters, digits or _.:@- that begin with a letter, a digit or _"
        faults.append(Fault("$.name", f"must be {remedy}"))
    if faults or not isinstance(document, dict):
        raise InvalidRoute(name, tuple(faults))
    return Route(name, document, workflow, given, matcher, tuple(transform_engines))


def _input_faults(given: JsonValue, transform_engines: Sequence[TransformEngine]) -> Iterator[Fault]:
    for path, text in texts_with_template(given, "$.input"):
        for engine in transform_engines:
            try:
                if isinstance(engine, TemplateValidator):
                    engine.validate_template(text)
                read = engine.references(text) if isinstance(engine, NameReader) else ()
            except ExpressionError as error:
                yield Fault(path, str(error))
                continue
            for other in sorted({name for name, _ in read} - {EVENT_NAME}):
                yield Fault(path, f"there is no name {other!r}; there is: {EVENT_NAME}")
