"""Hides in a message what the run must not keep: its globals, and what the call's headers said.

Servers send back what they were sent, in errors above all, and a path may hold a token. It refuses to be clever: texts
are replaced where they stand, as they are, in JSON and percent-encoded. What a server makes of a secret is beyond it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote

from dispatcher.http_node.url import KEPT_IN_PATH

_SECRET_CHARACTERS_MIN: Final = 4
"""Shorter texts are no secrets, and would be found in every word."""


@dataclass(frozen=True, slots=True, repr=False)
class Mask:
    """Texts to hide, the longest first."""

    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, global_values: Mapping[str, object], headers: Mapping[str, str | None]) -> Self:
        """Hides the texts and numbers among the globals, and headers' values with each of their words."""
        found = set(_texts(global_values))
        for value in headers.values():
            found |= {value or "", *(value or "").split()}
        long = {text for text in found if len(text) >= _SECRET_CHARACTERS_MIN}
        forms = {form for text in long for form in _forms(text)}
        return cls(tuple(sorted(forms, key=lambda text: (-len(text), text))))

    def hide(self, text: str) -> str:
        """The text with a star for each character of what is hidden, so that nothing moves."""
        for secret in self.texts:
            if secret in text:
                text = text.replace(secret, "*" * len(secret))
        return text


def _forms(text: str) -> Iterator[str]:
    """How a text looks in an answer, in JSON, in a path and in a query."""
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield quote(text, safe=KEPT_IN_PATH, errors="replace")
    yield quote(text, safe="", errors="replace")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
