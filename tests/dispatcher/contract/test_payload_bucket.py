"""The contract of PayloadBucket, on every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.errors import Retryable, Terminal
from dispatcher.memory import InMemoryBucket
from dispatcher.ports import PayloadBucket
from dispatcher.s3_bucket import S3Bucket
from tests.dispatcher.moto_loop import MotoClients
from tests.dispatcher.wiretap import Wiretap, answer_500, lose_the_answer, raising


@pytest.fixture
def s3(tap: Wiretap, clients: MotoClients, observer: MotoClients) -> S3Bucket:
    """The bucket on S3, its calls tapped."""
    observer.s3().create_bucket(Bucket="payloads")
    assert tap.calls == []
    return S3Bucket(clients.s3, "payloads")


@pytest.fixture(params=["memory", "moto"])
def bucket(request: pytest.FixtureRequest) -> PayloadBucket:
    """A PayloadBucket."""
    if request.param == "memory":
        return InMemoryBucket()
    bucket: S3Bucket = request.getfixturevalue("s3")
    return bucket


class TestPayloadBucket:
    """What every PayloadBucket promises."""

    def test_what_was_never_put_is_none(self, bucket: PayloadBucket) -> None:
        """Nor is anything made by asking."""
        assert bucket.get("runs/run-1/blob/abc") is None
        assert bucket.get("runs/run-1/blob/abc") is None

    @pytest.mark.parametrize("body", [b"", b"\x00\xff", b"x" * 1_000_000])
    def test_an_object_comes_back_as_it_was(self, bucket: PayloadBucket, body: bytes) -> None:
        """Byte for byte; written twice, it is the same."""
        for _ in range(2):
            bucket.put("runs/run-1/blob/abc", body)
            assert bucket.get("runs/run-1/blob/abc") == body
        assert bucket.get("runs/run-1/blob/ab") is None

    @pytest.mark.parametrize("key", ["runs/child~a2/blob/abc", "runs/a_b.c:d@e-f/blob/abc"])
    def test_any_id_of_a_run_can_stand_in_a_key(self, bucket: PayloadBucket, key: str) -> None:
        """Tilde, colon and at included."""
        bucket.put(key, b"x")
        assert bucket.get(key) == b"x"
        bucket.remove(key.partition("/blob")[0] + "/")
        assert bucket.get(key) is None

    def test_all_of_a_run_are_removed_at_once(self, bucket: PayloadBucket) -> None:
        """By the beginning of their keys; those of a run whose id only begins alike stay. Again is no harm."""
        for key in ("runs/run-1/blob/a", "runs/run-1/segment/1", "runs/run-10/blob/a"):
            bucket.put(key, b"x")
        for _ in range(2):
            bucket.remove("runs/run-1/")
            assert bucket.get("runs/run-1/blob/a") is None
            assert bucket.get("runs/run-1/segment/1") is None
            assert bucket.get("runs/run-10/blob/a") == b"x"


CALLS: dict[str, tuple[str, Callable[[PayloadBucket], object]]] = {
    "put": ("PutObject", lambda bucket: bucket.put("runs/run-1/a", b"x")),
    "get": ("GetObject", lambda bucket: bucket.get("runs/run-1/a")),
    "remove, listing": ("ListObjectsV2", lambda bucket: bucket.remove("runs/run-1/")),
    "remove, removing": ("DeleteObjects", lambda bucket: bucket.remove("runs/run-1/")),
}


@pytest.mark.parametrize("method", CALLS)
def test_every_call_is_classified(s3: S3Bucket, tap: Wiretap, method: str) -> None:
    """What passes is Retryable, what does not is Terminal; neither is taken for an object that is not there."""
    operation, call = CALLS[method]
    s3.put("runs/run-1/a", b"x")
    for fault in (lose_the_answer, answer_500, raising("SlowDown", status=503)):
        tap.on(operation, "before", fault)
        with pytest.raises(Retryable):
            call(s3)
    for code in ("AccessDenied", "NoSuchBucket"):
        tap.on(operation, "before", raising(code))
        with pytest.raises(Terminal):
            call(s3)


def test_more_than_one_page_is_removed(s3: S3Bucket, tap: Wiretap, clients: MotoClients) -> None:
    """S3 lists a thousand objects at once, here two: however many there are, they are all removed."""

    def two_at_once(params: dict[str, object], **_: object) -> Any:
        return {**params, "MaxKeys": 2}

    keys = [f"runs/run-1/blob/{number}" for number in range(5)]
    for key in keys:
        s3.put(key, b"x")
    events = clients.s3().meta.events
    events.register("provide-client-params.s3.ListObjectsV2", two_at_once, unique_id="two-at-once")
    try:
        s3.remove("runs/run-1/")
    finally:
        events.unregister("provide-client-params.s3.ListObjectsV2", unique_id="two-at-once")
    assert [key for key in keys if s3.get(key) is not None] == []
    assert len([call for call in tap.calls if call.operation == "ListObjectsV2"]) == 3


def test_no_client_is_made_before_it_is_needed() -> None:
    """Most runs have no value that large: they do not pay for a client."""

    def connect() -> MotoClients:
        raise AssertionError("nobody has asked for an object")

    S3Bucket(connect, "payloads")  # type: ignore[arg-type]
