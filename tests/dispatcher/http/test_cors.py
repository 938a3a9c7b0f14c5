"""Pages of the origins that the setting names may call the API; what browsers are told, and what others are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import MotoLoop

PAGE: Final = "https://app.example.com"
TELLING: Final = "access-control-"


def _loop(new_loop: NewLoop, *origins: str) -> MotoLoop:
    loop = new_loop(examples.wait())
    loop.settings = replace(loop.settings, cors_origins=origins)
    loop.restart()
    loop.start("wait")
    return loop


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/runs/run-1", 200),
        ("HEAD", "/runs/run-1", 200),
        ("GET", "/runs/nobody", 404),
        ("GET", "/nowhere", 404),
        ("PATCH", "/runs", 405),
        ("GET", "/runs?limit=0", 400),
        ("POST", "/workflows/wait/runs", 202),
        ("GET", "/health", 200),
    ],
)
def test_every_answer_carries_them(new_loop: NewLoop, method: str, path: str, status: int) -> None:
    """Errors too, or a page could not tell what went wrong."""
    answer = _loop(new_loop, "https://other.example", PAGE).http(method, path, headers={"Origin": PAGE})
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["vary"] == "Origin"
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"ETag", "Location", "Retry-After"} <= exposed


def test_an_unreadable_body_is_no_exception(new_loop: NewLoop) -> None:
    """Nor is any other fault that is found before a route is."""
    answer = _loop(new_loop, PAGE).http("POST", "/workflows/wait/runs", b"{", {"Origin": PAGE})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, PAGE)


@pytest.mark.parametrize(
    "origin", [None, "https://evil.example", "https://app.example.com.evil.example", "null", "*", ""]
)
def test_other_origins_are_told_nothing(new_loop: NewLoop, origin: str | None) -> None:
    """But for caches: what they got is not for a page that is named."""
    headers = {} if origin is None else {"Origin": origin}
    answer = _loop(new_loop, PAGE).http("GET", "/runs/run-1", headers=headers)
    assert answer.status == 200
    assert [name for name in answer.headers if name.startswith(TELLING)] == []
    assert answer.headers["vary"] == "Origin"


def test_any_origin(new_loop: NewLoop) -> None:
    """By a star, whoever asks."""
    answer = _loop(new_loop, "*").http("GET", "/runs/run-1", headers={"Origin": "https://any.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_without_the_setting_nothing_is_told(new_loop: NewLoop) -> None:
    """Neither to a page nor to a browser that asks first."""
    loop = _loop(new_loop)
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    for answer in (loop.http("GET", "/runs/run-1", headers=asks), loop.http("OPTIONS", "/runs", headers=asks)):
        assert [name for name in answer.headers if name.startswith(TELLING) or name == "vary"] == []


@pytest.mark.parametrize(("path", "methods"), [("/runs/run-1", {"GET", "DELETE"}), ("/workflows/x", {"GET", "PUT"})])
def test_a_browser_that_asks_first_is_told_what_it_may(new_loop: NewLoop, path: str, methods: set[str]) -> None:
    """204: methods of that path, the headers that the calls read, and for how long; nothing is done."""
    loop = _loop(new_loop, PAGE)
    loop.tap.clear()
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "if-match"}
    answer = loop.http("OPTIONS", path, headers=asks)
    assert (answer.status, answer.body) == (204, None)
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert methods <= set(answer.headers["access-control-allow-methods"].split(", "))
    allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "idempotency-key", "if-match", "if-none-match"} <= set(allowed)
    assert int(answer.headers["access-control-max-age"]) > 0
    assert loop.tap.calls == []


def test_a_browser_asks_without_credentials(new_loop: NewLoop) -> None:
    """A preflight never carries a token: with tenants told apart it is answered all the same."""
    loop = _loop(new_loop, PAGE)
    loop.settings = replace(loop.settings, tenant_claim="tenant")
    loop.restart()
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    assert loop.http("OPTIONS", "/runs", headers=asks).status == 204
    refused = loop.http("GET", "/runs", headers={"Origin": PAGE})
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (403, PAGE)
