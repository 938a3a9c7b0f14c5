"""The page about the HTTP API: each curl of it is sent, and answers as shown; every call and status is on it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from dispatcher.http.openapi import openapi_document
from dispatcher.http.routes import ROUTES
from tests.dispatcher.memory_loop import MemoryLoop
from tests.dispatcher.virtual_time import VirtualTime, virtual_time
from tests.docs.test_snippets import ROOT, Block, blocks_of
from workflows import registry

PAGE: Final = (ROOT / "docs" / "http.md").read_text("utf-8")
ANYTHING: Final = "…"


@pytest.fixture
def time() -> Iterator[VirtualTime]:
    """Virtual time."""
    with virtual_time() as time:
        yield time


def test_each_curl_answers_as_shown(time: VirtualTime) -> None:
    """In order, on one installation with the example workflows; between two calls all that is due is done."""
    loop: MemoryLoop

    def pause(ms: int) -> None:
        time.pass_by(ms)
        loop.settle()

    loop = MemoryLoop(registry, time, pause_ms=pause)
    calls = [
        (said, shown)
        for said, shown in pairwise(blocks_of(PAGE))
        if said.language == "sh" and said.text.startswith("curl")
    ]
    assert len(calls) > 15
    for said, shown in calls:
        assert shown.language == "http", f"http.md:{said.line}: a curl is followed by its answer"
        answer: Any = loop.app.http_api.handle(_event(said.text))
        _compare(answer, shown)
        loop.settle()


def _event(command: str) -> dict[str, object]:
    """The request that a curl sends."""
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    method, headers, body, url = None, {}, "", ""
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                body = next(words)
            case "-i":
                pass
            case _:
                url = word
    split = urlsplit(url.removeprefix("$API"))
    return {
        "rawPath": split.path,
        "requestContext": {"http": {"method": method or ("POST" if body else "GET")}},
        "headers": headers,
        "queryStringParameters": dict(parse_qsl(split.query)),
        "body": body,
    }


def _compare(answer: Any, shown: Block) -> None:
    head, _, text = shown.text.partition("\n\n")
    status, *headers = head.strip().splitlines()
    where = f"http.md:{shown.line}"
    assert answer["statusCode"] == int(status.split()[0]), f"{where}: {answer}"
    for header in headers:
        name, _, value = header.partition(": ")
        assert answer["headers"][name] == value, where
    if text:
        _is_like(json.loads(answer["body"]), json.loads(text), where)
    else:
        assert answer["body"] == "", where


def _is_like(found: Any, shown: Any, where: str) -> None:
    if shown == ANYTHING:
        return
    if isinstance(shown, dict):
        assert isinstance(found, dict), where
        assert set(found) == set(shown), where
        for name, value in shown.items():
            _is_like(found[name], value, f"{where} .{name}")
    elif isinstance(shown, list):
        assert len(found) == len(shown), f"{where}: {found}"
        for item, value in zip(found, shown, strict=True):
            _is_like(item, value, where)
    else:
        assert found == shown, where


def test_every_call_is_on_the_page() -> None:
    """As method and path."""
    assert [f"{r.method} {r.template}" for r in ROUTES if f"`{r.method} {r.template}`" not in PAGE] == []


def test_every_status_is_on_the_page() -> None:
    """Each that the document of the API names, and what it says."""
    document: Any = openapi_document()
    statuses = {
        status
        for item in document["paths"].values()
        for operation in item.values()
        for status in operation["responses"]
        if status >= "400" and status != "5XX"
    }
    listed = set(re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE))
    assert statuses | {"405", "500", "503"} == listed
