"""Built-in transforms that take text, or turn a value into text or back.

Text is counted in characters (code points). Nothing here takes a regular expression: a user's own could run for
ever. A text that would grow too long is refused before it is built.
"""

from __future__ import annotations

import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn

from engine.expressions.boundary import json_text, to_json, to_template_text
from engine.expressions.coercion import BLANK
from engine.limits import JSON_DEPTH_MAX

if TYPE_CHECKING:
    from engine.expressions.transforms import TransformCall

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def upper(call: TransformCall, value: object) -> str:
    """The text in capitals."""
    text = call.text(value)
    call.scope.reserve_text(len(text))
    return text.upper()


def lower(call: TransformCall, value: object) -> str:
    """The text in small letters."""
    text = call.text(value)
    call.scope.reserve_text(len(text))
    return text.lower()


def trim(call: TransformCall, value: object) -> str:
    """The text without white space at either end."""
    return call.text(value).strip(BLANK)


def split(call: TransformCall, value: object, separator: object) -> list[str]:
    """The parts of the text between separators; an empty separator gives its characters."""
    text, between = call.text(value), call.text(separator)
    if not between:
        call.scope.spend(len(text))
        return list(text)
    call.scope.spend(text.count(between))
    return text.split(between)


def replace(call: TransformCall, value: object, search: object, replacement: object) -> str:
    """The text with every occurrence of ``search`` replaced."""
    text, old, new = call.text(value), call.text(search), call.text(replacement)
    if not old:
        raise call.fault("cannot search for an empty text")
    call.scope.reserve_text(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def starts_with(call: TransformCall, value: object, beginning: object) -> bool:
    """Whether the text begins with ``beginning``."""
    return call.text(value).startswith(call.text(beginning))


def ends_with(call: TransformCall, value: object, ending: object) -> bool:
    """Whether the text ends with ``ending``."""
    return call.text(value).endswith(call.text(ending))


def base64(call: TransformCall, value: object) -> str:
    """The text, as UTF-8, in base64."""
    text = str(to_json(call.text(value), call.scope))
    content = text.encode()
    call.scope.reserve_text(len(content) * 4 // 3 + 4)
    return binascii.b2a_base64(content, newline=False).decode("ascii")


def from_base64(call: TransformCall, value: object) -> str:
    """The text that is in base64, as UTF-8."""
    text = call.text(value)
    call.scope.reserve_text(len(text))
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True).decode("utf-8")
    except ValueError as error:
        raise call.fault("expected base64 of UTF-8 text") from error


def string(call: TransformCall, value: object) -> str:
    """The value as it stands inside text: JSON for lists and objects, nothing for null."""
    return to_template_text(value, call.scope)


def to_json_text(call: TransformCall, value: object) -> str:
    """The value as compact JSON."""
    return json_text(to_json(value, call.scope), call.scope)


def parse_json(call: TransformCall, value: object) -> object:
    """The value that the JSON text holds."""
    text = call.text(value)
    call.scope.spend(len(text))
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise call.fault("expected JSON text") from error
    except RecursionError as error:
        raise call.scope.exhausted(f"JSON text nested deeper than {JSON_DEPTH_MAX} levels") from error


def to_iso(call: TransformCall, value: object) -> str:
    """Milliseconds since 1970 as ISO 8601 in UTC."""
    milliseconds = call.number(value)
    try:
        moment = _EPOCH + timedelta(milliseconds=int(milliseconds))
    except (OverflowError, ValueError) as error:
        raise call.fault("expected milliseconds since 1970, of the years 1 to 9999") from error
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def from_iso(call: TransformCall, value: object) -> int:
    """ISO 8601 as milliseconds since 1970; a time without an offset is in UTC."""
    try:
        moment = datetime.fromisoformat(call.text(value))
    except ValueError as error:
        raise call.fault("expected a date and time as in ISO 8601") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
