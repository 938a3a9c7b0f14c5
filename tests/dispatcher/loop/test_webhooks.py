"""Webhooks: a capability URL resumes one wait of one run, once, until the wait is over, and only by POST."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from engine import Status, WaitAddress
from tests.dispatcher import examples
from tests.dispatcher.conftest import NewLoop
from tests.dispatcher.moto_loop import PUBLIC_URL, MotoLoop
from tests.dispatcher.virtual_time import DAY, HOUR, MINUTE
from tests.dispatcher.wiretap import Call, lose_the_answer


def _waiting(new_loop: NewLoop, *, timeout_ms: int | None = None) -> tuple[MotoLoop, str]:
    """A run that waits, and the path of its link."""
    loop = new_loop(examples.wait(timeout_ms=timeout_ms))
    loop.start("wait")
    loop.deliver_all()
    return loop, f"/webhooks/{loop.token()}"


def test_a_link_resumes_the_run(new_loop: NewLoop) -> None:
    """POST delivers its body to the wait."""
    loop, path = _waiting(new_loop)
    answer = loop.ask("POST", path, {"ok": True})
    assert answer.status == 202
    assert answer.body == {"accepted": True, "repeated": False}
    loop.settle()
    assert loop.snapshot().output == {"got": {"ok": True}}


def test_get_says_what_a_link_is_for_and_changes_nothing(new_loop: NewLoop) -> None:
    """Mail scanners and previews follow links: no item, no message, no status changes by GET."""
    loop, path = _waiting(new_loop, timeout_ms=3 * DAY)
    before = loop.items()
    answer = loop.ask("GET", path)
    assert answer.status == 200
    assert answer.body["workflowId"] == "run-1"
    assert answer.body["workflow"] == "wait"
    assert answer.body["nodeId"] == "wait"
    assert answer.body["signal"] == "go"
    assert answer.body["expiresAt"] == loop.snapshot().due_at_ms
    assert answer.body["method"] == "POST"
    assert loop.items() == before
    assert loop.queued() == 0


def test_the_first_payload_counts(new_loop: NewLoop) -> None:
    """Twice, with another payload: the second is a repeat of the first and changes nothing."""
    loop, path = _waiting(new_loop)
    assert loop.ask("POST", path, "first").body["repeated"] is False
    assert loop.ask("POST", path, "second").body["repeated"] is True
    loop.settle()
    assert loop.snapshot().output == {"got": "first"}
    assert not [item for item in loop.items() if item["sk"]["S"].startswith("inbox#")]


def test_a_link_is_gone_once_its_wait_is_over(new_loop: NewLoop) -> None:
    """410 for both methods, whatever ended the wait."""
    loop, path = _waiting(new_loop)
    loop.signal("go", "by name")
    loop.settle()
    assert loop.snapshot().status is Status.COMPLETED
    for method in ("POST", "GET"):
        answer = loop.ask(method, path)
        assert (answer.status, answer.body["title"]) == (410, "Gone")


def test_a_link_expires_with_its_wait(new_loop: NewLoop) -> None:
    """From the due time on it is refused, even before anybody has noticed the timeout."""
    loop, path = _waiting(new_loop, timeout_ms=HOUR)
    loop.time.pass_by(HOUR - 1)
    assert loop.ask("GET", path).status == 200
    loop.time.pass_by(1)
    assert loop.ask("POST", path, "late").status == 410
    assert loop.snapshot().status is Status.PAUSED


def test_a_link_of_a_wait_without_limit_expires_after_90_days(new_loop: NewLoop) -> None:
    """A link on paper does not work for ever: it ends with the UTC day that is 90 days ahead."""
    loop, path = _waiting(new_loop)
    expires_at_ms = loop.ask("GET", path).body["expiresAt"]
    assert expires_at_ms % DAY == 0
    assert 90 * DAY < expires_at_ms - loop.time.now_ms <= 91 * DAY
    loop.time.pass_by(expires_at_ms - 1 - loop.time.now_ms)
    assert loop.ask("GET", path).status == 200
    loop.time.pass_by(1)
    assert loop.ask("GET", path).status == 410


def test_a_link_is_the_same_all_day(new_loop: NewLoop) -> None:
    """Shown again on the same UTC day it is the same text; on the next it lasts a day longer, for the same wait."""
    loop, path = _waiting(new_loop)
    midnight_ms = -loop.time.now_ms % DAY
    loop.time.pass_by(midnight_ms - 1)
    assert loop.token() == path.removeprefix("/webhooks/")
    loop.time.pass_by(1)
    tomorrows = f"/webhooks/{loop.token()}"
    assert tomorrows != path
    expiries = [loop.ask("GET", link).body["expiresAt"] for link in (path, tomorrows)]
    assert expiries[1] - expiries[0] == DAY
    assert loop.ask("POST", path, "first").body["repeated"] is False
    assert loop.ask("POST", tomorrows, "second").body["repeated"] is True
    loop.settle()
    assert loop.snapshot().output == {"got": "first"}


def test_a_link_for_the_next_wait_does_not_end_with_this_one(new_loop: NewLoop) -> None:
    """The step that ends a wait hands out the link of the next: only a link for the very wait has that wait's time."""
    links: list[str] = []
    loop = new_loop(examples.linked_wait(links, timeout_ms=HOUR, content_with="second"))
    loop.start("linked-wait")
    loop.settle()
    due_at_ms = loop.snapshot().due_at_ms
    assert due_at_ms is not None
    assert loop.ask("GET", f"/webhooks/{loop.token()}").body["expiresAt"] == due_at_ms
    first = links[0].removeprefix(PUBLIC_URL)
    assert loop.ask("POST", first, "first").status == 202
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    second = links[1].removeprefix(PUBLIC_URL)
    assert second != first
    assert loop.ask("GET", second).body["expiresAt"] > due_at_ms + 89 * DAY
    assert loop.ask("POST", first, "second").status == 410
    assert loop.ask("POST", second, "second").body["repeated"] is False
    loop.settle()
    assert loop.snapshot().output == {"by": "signal", "payload": "second"}


@pytest.mark.parametrize("first", ["link", "resume"])
def test_a_wait_ends_once_whichever_way(new_loop: NewLoop, first: str) -> None:
    """A link and a call that ends the wait are about one thing: what comes second is a repeat of the first."""
    loop, link = _waiting(new_loop)
    paths = {"link": link, "resume": "/runs/run-1/resume"}
    second = "resume" if first == "link" else "link"
    assert loop.ask("POST", paths[first], "first").body["repeated"] is False
    assert loop.ask("POST", paths[second], "second").body["repeated"] is True
    loop.settle()
    assert loop.snapshot().output == {"got": "first"}


def test_an_early_webhook_wakes_a_node_that_then_sleeps(new_loop: NewLoop) -> None:
    """The node hands out its link and asks for no signal, only for time: who follows the link ends the sleep."""
    links: list[str] = []
    loop = new_loop(examples.linked_sleep(links, 3 * DAY))

    def follow(_call: Call) -> None:
        assert loop.ask("POST", links[0].removeprefix(PUBLIC_URL), "early").status == 202
        # Its nudge comes while the run does not wait yet, and does nothing.
        loop.deliver()

    loop.start("linked-sleep")
    loop.tap.on("UpdateItem", "before", follow)
    loop.settle()
    assert loop.snapshot().output == {"by": "signal", "payload": "early"}
    assert loop.executed() == {"nap": 2}


def test_a_webhook_wakes_a_sleeping_node(new_loop: NewLoop) -> None:
    """As above, while it sleeps."""
    links: list[str] = []
    loop = new_loop(examples.linked_sleep(links, 3 * DAY))
    loop.start("linked-sleep")
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    assert loop.ask("POST", links[0].removeprefix(PUBLIC_URL), "now").status == 202
    loop.settle()
    assert loop.snapshot().output == {"by": "signal", "payload": "now"}


def test_a_link_for_another_run_of_the_same_id_is_refused(new_loop: NewLoop) -> None:
    """The run was deleted and started again: its old links are worth nothing."""
    loop, path = _waiting(new_loop)
    loop.dynamodb.delete_item(TableName=loop.resources.table_name, Key={"pk": {"S": "run#run-1"}, "sk": {"S": "head"}})
    assert loop.ask("POST", path, 1).status == 404
    loop.start("wait")
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    assert loop.ask("POST", path, 1).status == 404
    assert loop.ask("GET", path).status == 404


def _forged(claims: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode() + "." + "A" * 43


FAR: Any = 99_999_999_999_999

FORGED = {
    "another signature": _forged(["run-1", FAR, "wait", 1, 0]),
    "another signature, for a signal": _forged(["run-1", FAR, "wait", 1, 0, "go"]),
    "an unknown run": _forged(["run-2", FAR, "wait", 1, 0]),
    "a run id with a lone surrogate": _forged(["\ud800", FAR, "wait", 1, 0]),
    "a run id longer than a key": _forged(["r" * 1400, FAR, "wait", 1, 0]),
    "an empty run id": _forged(["", FAR, "wait", 1, 0]),
    "a run id with NUL": _forged(["a\0b", FAR, "wait", 1, 0]),
    "a node with a separator": _forged(["run-1", FAR, "a#b", 1, 0]),
    "a signal with a separator": _forged(["run-1", FAR, "wait", 1, 0, "a#b"]),
    "a signal that is no text": _forged(["run-1", FAR, "wait", 1, 0, None]),
    "too few claims": _forged(["run-1", FAR, "go"]),
    "too many claims": _forged(["run-1", FAR, "wait", 1, 0, "go", "on"]),
    "claims of other types": _forged(["run-1", "now", "wait", "1", None]),
    "no list": _forged({"run": "run-1"}),
    "nested deeply": _forged(json.loads("[" * 400 + "]" * 400)),
    "no base64": "a." + "A" * 43,
    "no JSON": base64.urlsafe_b64encode(b"\xff\xfe").rstrip(b"=").decode() + "." + "A" * 43,
    "no signature": _forged([]).split(".")[0],
    "nothing but a dot": ".",
    "too long": "A" * 3000 + "." + "A" * 43,
}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_forged_token_is_not_found(new_loop: NewLoop, method: str) -> None:
    """404 for whatever was not made here: who holds no link learns nothing of a run, not even that it exists."""
    loop, _ = _waiting(new_loop)
    before = loop.items()
    for what, token in FORGED.items():
        loop.tap.clear()
        answer = loop.http(method, f"/webhooks/{token}")
        assert (answer.status, answer.body["title"]) == (404, "Not found"), what
        assert "run-1" not in answer.body["detail"], what
        # What cannot be a run's id is never asked for: the table refuses some keys with an error of its own.
        assert bool(loop.tap.calls) == what.startswith(("another signature", "an unknown run")), what
    assert loop.items() == before


def test_each_character_of_a_token_counts(new_loop: NewLoop) -> None:
    """Whichever character is changed, the token is refused."""
    loop, path = _waiting(new_loop)
    token = path.removeprefix("/webhooks/")
    for index in range(0, len(token) - 1, 7):
        other = "A" if token[index] != "A" else "B"
        assert loop.http("GET", f"/webhooks/{token[:index]}{other}{token[index + 1 :]}").status == 404


def test_the_node_s_own_link_and_the_shown_one_are_one(new_loop: NewLoop) -> None:
    """A step hands out its link before it waits; the run shows one while it waits: both end the wait, once."""
    links: list[str] = []
    loop = new_loop(examples.linked_wait(links, timeout_ms=HOUR))
    loop.start("linked-wait")
    loop.settle()
    handed_out = links[0].removeprefix(PUBLIC_URL)
    shown = f"/webhooks/{loop.token()}"
    assert loop.ask("GET", handed_out).status == 200
    assert loop.ask("POST", shown, "first").body["repeated"] is False
    assert loop.ask("POST", handed_out, "second").body["repeated"] is True
    loop.settle()
    assert loop.snapshot().output == {"by": "signal", "payload": "first"}
    assert not [item for item in loop.items() if item["sk"]["S"].startswith("inbox#")]


def test_a_link_followed_before_the_run_waits(new_loop: NewLoop) -> None:
    """Whoever was handed the link is faster than the commit of the wait: the answer is kept."""
    links: list[str] = []
    loop = new_loop(examples.linked_wait(links))

    def follow(_call: Call) -> None:
        assert loop.ask("POST", links[0].removeprefix(PUBLIC_URL), "early").status == 202
        # Its nudge comes while the run does not wait yet, and does nothing.
        loop.deliver()

    loop.start("linked-wait")
    loop.tap.on("UpdateItem", "before", follow)
    loop.settle()
    assert loop.snapshot().output == {"by": "signal", "payload": "early"}


def test_a_secret_that_cannot_be_read_is_nobody_s_failure(new_loop: NewLoop) -> None:
    """A link needs the secret. Not getting it is an infrastructure error: no attempt is used up, it comes back."""
    links: list[str] = []
    loop = new_loop(examples.linked_wait(links))
    loop.start("linked-wait")
    loop.tap.on("GetSecretValue", "before", lose_the_answer)
    loop.deliver_all()
    assert loop.failures == 1
    assert loop.head().version == 0
    loop.settle()
    assert loop.snapshot().status is Status.PAUSED
    assert not list(loop.snapshot().context.entries())


def test_a_webhook_keeps_its_payload_as_it_is(new_loop: NewLoop) -> None:
    """Text, numbers, null, nothing at all: what was sent is what the wait gives."""
    payloads: list[Any] = ["text", 7, None, [1, {"a": None}], {"ä": "ö 𝄞"}, False]
    loop = new_loop(examples.wait())
    for number, payload in enumerate(payloads):
        run = f"run-{number}"
        loop.start("wait", run=run)
        loop.settle()
        body = json.dumps(payload).encode()
        assert loop.ask("POST", f"/webhooks/{loop.token(run)}", body).status == 202
        loop.settle()
        assert loop.snapshot(run).output == {"got": payload}
        loop.time.pass_by(MINUTE)


def test_a_link_for_a_signal_made_by_an_expression(new_loop: NewLoop) -> None:
    """A JSON-only author sends a link before the wait; followed early or late, it delivers the signal, once."""
    loop = new_loop(examples.mailed_link())
    loop.start("mailed-link")
    # A secret that cannot be read fails no expression: the message comes back.
    loop.tap.on("GetSecretValue", "before", lose_the_answer)
    loop.deliver()
    assert (loop.failures, loop.head().version) == (1, 0)
    loop.time.pass_by(3 * MINUTE)
    loop.deliver()
    mailed: Any = loop.snapshot().context.outputs("mail")[0]
    path = mailed["link"].removeprefix(PUBLIC_URL)
    assert loop.ask("GET", path).body["signal"] == "decision"
    assert loop.ask("POST", path, "yes").body["repeated"] is False
    assert loop.ask("POST", path, "no").body["repeated"] is True
    loop.settle()
    assert loop.snapshot().output == "yes"
    assert loop.ask("POST", path, "again").status == 410


def test_a_link_for_a_signal_counts_once_however_often_it_is_made(new_loop: NewLoop) -> None:
    """Made again a day later it is another text for the same thing; from another place it is another signal."""
    loop = new_loop(examples.mailed_link())
    loop.start("mailed-link")
    head = loop.head()
    here, elsewhere = WaitAddress("mail", 1, 0), WaitAddress("mail", 2, 0)
    today = loop.app.tokens.url(head, here, "decision").removeprefix(PUBLIC_URL)
    loop.time.pass_by(DAY)
    tomorrow = loop.app.tokens.url(head, here, "decision").removeprefix(PUBLIC_URL)
    assert today != tomorrow
    assert loop.ask("POST", today, 1).body["repeated"] is False
    assert loop.ask("POST", tomorrow, 2).body["repeated"] is True
    loop.time.pass_by(1)
    for other in (loop.app.tokens.url(head, elsewhere, "decision"), loop.app.tokens.url(head, here, "another")):
        assert loop.ask("POST", other.removeprefix(PUBLIC_URL), 3).body["repeated"] is False
    loop.settle()
    assert loop.snapshot().output == 1
