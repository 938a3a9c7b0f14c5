"""Calls of the HTTP API, as anybody outside would make them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_TIMEOUT_SECONDS: Final = 30


class ApiError(Exception):
    """The API did not answer, or answered with a problem document, whose detail is the message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON body of an answer."""

    status: int
    document: Mapping[str, object]


class ApiClient:
    """Calls the API at an address."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def get(self, path: str) -> Answer:
        """GET a path, or an address of the API."""
        return self._call("GET", path, None)

    def post(self, path: str, document: object = None) -> Answer:
        """POST JSON to a path, or to an address of the API."""
        return self._call("POST", path, document)

    def _call(self, method: str, path: str, document: object) -> Answer:
        address = path if path.startswith(f"{self._url}/") else self._url + path
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(  # noqa: S310  (the address is the user's own stack)
            address, data=body, method=method, headers={"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                return Answer(answer.status, json.load(answer))
        except urllib.error.HTTPError as error:
            raise ApiError(f"{method} {path}: {error.code}: {_detail(error)}") from None
        except (OSError, ValueError) as error:
            raise ApiError(f"{method} {address} did not answer: {error}") from None


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        problem = json.load(error)
    except ValueError:
        return error.reason
    return str(problem.get("detail", error.reason)) if isinstance(problem, dict) else error.reason
