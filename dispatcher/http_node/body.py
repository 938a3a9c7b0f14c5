"""A response's body as JSON holds it: parsed JSON, text, or base64 of anything else.

By its declared type alone, so that one service's results have one form. It refuses to guess by content, but for a body
that is not what it says it is: that is told as the next form can.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Final, NoReturn

from engine.json_value import JsonObject, JsonValue

BASE64_MARK: Final = "isBase64Encoded"
"""Beside ``body`` when that is base64, as in API Gateway's events."""

_TEXTS: Final = re.compile(
    r"text/.*|application/(?:.*[+-])?(?:xml|yaml|javascript|ecmascript|sql|graphql|toml)", re.ASCII
)
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = re.compile(r"(?:application|text)/(?:.+\+)?json", re.ASCII)
_LINES: Final = re.compile(r"application/(?:x-)?(?:nd|json-?)(?:json|lines?|seq)", re.ASCII)

_CHARSET_PARAMETER: Final = re.compile(r"charset\s*=\s*\"?([^\s\";]+)", re.ASCII)

# Charsets of texts. Python knows more encodings than these, some of which are no charsets or are slow to read.
_CHARSETS: Final = re.compile(
    r"utf-?8|utf-?16(?:le|be)?|(?:us-)?ascii|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]|shift_jis|euc-(?:jp|kr)|big5"
    r"|gb(?:k|2312|18030)",
    re.ASCII,
)


def body_of(content: bytes, content_type: str | None) -> JsonObject:
    """The fields that tell a body: ``body``, and a mark when it is base64.

    An empty body is null. What claims to be JSON and is not is text, and what is no text in its charset is base64.
    """
    if not content:
        return {"body": None}
    kind, charset = _declared(content_type)
    if _JSON.fullmatch(kind):
        try:
            return {"body": _json(content)}
        except (ValueError, RecursionError):
            return _text_or_base64(content, charset)
    return _text_or_base64(content, charset) if _is_text(kind) else _base64(content)


def excerpt_of(content: bytes, content_type: str | None) -> str:
    """A body, or its beginning, as a message shows it: one line of visible text; empty when it is no text."""
    kind, charset = _declared(content_type)
    if not _is_text(kind) and not _JSON.fullmatch(kind):
        return ""
    text = content.decode(charset, "replace")
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _declared(content_type: str | None) -> tuple[str, str]:
    """The type of a body, empty when none is named, and its charset: UTF-8 unless another one is named."""
    kind, _, parameters = (content_type or "").partition(";")
    charset = _CHARSET_PARAMETER.search(parameters.lower())
    known = charset is not None and _CHARSETS.fullmatch(charset[1])
    return kind.strip().lower(), charset[1] if charset is not None and known else "utf-8"


def _is_text(kind: str) -> bool:
    return not kind or kind == _FORM or bool(_TEXTS.fullmatch(kind) or _LINES.fullmatch(kind))


def _json(content: bytes) -> JsonValue:
    parsed: JsonValue = json.loads(content.decode("utf-8-sig"), parse_constant=_not_json)
    return parsed


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _text_or_base64(content: bytes, charset: str) -> JsonObject:
    try:
        text = content.decode("utf-8-sig" if charset in {"utf-8", "utf8"} else charset)
        text.encode()
    except (UnicodeError, LookupError):
        return _base64(content)
    return {"body": text}


def _base64(content: bytes) -> JsonObject:
    return {"body": base64.b64encode(content).decode("ascii"), BASE64_MARK: True}
