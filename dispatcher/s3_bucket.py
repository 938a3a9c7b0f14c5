"""The PayloadBucket on S3."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dispatcher.errors import Retryable, calling_aws, error_code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef


class S3Bucket:
    """A PayloadBucket on one S3 bucket.

    ``client`` makes the client when it is first needed: most runs never are that large.
    """

    def __init__(self, client: Callable[[], S3Client], name: str) -> None:
        self._make_client = client
        self._made: S3Client | None = None
        self._name = name

    @property
    def _client(self) -> S3Client:
        if self._made is None:
            self._made = self._make_client()
        return self._made

    def put(self, key: str, body: bytes) -> None:
        """See PayloadBucket."""
        with calling_aws():
            self._client.put_object(Bucket=self._name, Key=key, Body=body)

    def get(self, key: str) -> bytes | None:
        """See PayloadBucket."""
        from botocore.exceptions import ClientError  # noqa: PLC0415  (with the client it comes from)

        with calling_aws():
            try:
                return self._client.get_object(Bucket=self._name, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) not in {"NoSuchKey", "404"}:
                    raise
                return None

    def remove(self, prefix: str) -> None:
        """See PayloadBucket."""
        with calling_aws():
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix):
                keys: list[ObjectIdentifierTypeDef] = [{"Key": entry["Key"]} for entry in page.get("Contents", ())]
                if not keys:
                    continue
                answer = self._client.delete_objects(Bucket=self._name, Delete={"Objects": keys, "Quiet": True})
                # It answers that it is done, and what it could not do beside it.
                if left := answer.get("Errors"):
                    raise Retryable(f"{len(left)} objects of {prefix!r} are left: {left[0].get('Code')}")
