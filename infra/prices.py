"""What AWS charges for what a step uses, in one place: what the dashboard and the alarm on cost reckon with.

US dollars, list prices of us-east-1 without free tier, discounts and taxes; other regions differ by some tenths.
Checked 2026-09 against the pages named beside each.
"""

from __future__ import annotations

from typing import Final

_MILLION: Final = 1_000_000

LAMBDA_REQUEST: Final = 0.20 / _MILLION
"""One invocation (aws.amazon.com/lambda/pricing)."""

LAMBDA_GB_SECOND: Final = 0.0000133334
"""A second of a gigabyte on arm64, first tier (aws.amazon.com/lambda/pricing)."""

SQS_REQUEST: Final = 0.40 / _MILLION
"""One call on a standard queue, of 64 KB at most (aws.amazon.com/sqs/pricing)."""

TABLE_WRITE_UNIT: Final = 0.625 / _MILLION
"""One write request unit on demand (aws.amazon.com/dynamodb/pricing/on-demand)."""

TABLE_READ_UNIT: Final = 0.125 / _MILLION
"""One read request unit on demand (aws.amazon.com/dynamodb/pricing/on-demand)."""

API_REQUEST: Final = 1.00 / _MILLION
"""One request to an HTTP API (aws.amazon.com/api-gateway/pricing)."""
