"""Every limit of the shell, units last, each with its source."""

from __future__ import annotations

from typing import Final

# --- SQS ---------------------------------------------------------------------------------------

DELAY_SECONDS_MAX: Final = 900
"""Longest delay of a message (SQS quotas). Beyond it the due mark owns the time."""

PARKED_BODY_BYTES_MAX: Final = 1024 * 1024 - 1024
"""Bytes of a parked message that are kept: SQS takes 1 MiB with all attributes, of which the reason is one."""

UNKNOWN_SCHEMA_DELAY_SECONDS: Final = 60
"""Wait before a head of a newer schema is looked at again: a deploy is in flight (dispatch-protocol.md)."""

# --- due marks, all from dispatch-protocol.md --------------------------------------------------

MARK_AFTER_OUTSIDE_CALL_MS: Final = 2 * 60_000
"""A start, a signal and an operator's call set the mark this far ahead, in their own write."""

MARK_MOVED_WHEN_NEARER_THAN_MS: Final = 15 * 60_000
"""An active run moves its mark only when it is nearer than this, so most steps do not touch it."""

MARK_MOVED_TO_MS: Final = 30 * 60_000
"""How far ahead it is moved then."""

SWEEP_PERIOD_MS: Final = 60_000
"""The sweep runs once a minute."""

SWEEP_GRACE_MS: Final = 5 * 60_000
"""How late a message may be before it counts as lost: longer than visibility and a step's timeout together
(180 s and 30 s by default)."""

SWEEP_GRACE_MAX_MS: Final = 60 * 60_000
"""The grace doubles each time a run is found overdue again, up to this."""

SWEEP_MARKS_PER_PAGE: Final = 100
"""Marks of one shard that are handled before the next shard's turn."""

SWEEP_TIME_MAX_MS: Final = 35_000
"""How long one sweep goes on; what is left waits a minute. Its function has 50 seconds."""

# --- sizes -------------------------------------------------------------------------------------

ITEM_BYTES_MAX: Final = 400 * 1024 - 8 * 1024
"""Largest body of an item: DynamoDB's 400 KB less room for keys and bookkeeping, and for the next line."""

CLOSING_BYTES_MAX: Final = 400 * 1024 - 4 * 1024
"""Largest body of a run that ends: a run that has grown to the limit can still record why it failed."""

REQUEST_BODY_BYTES_MAX: Final = 256 * 1024
"""Largest request body of the HTTP API: what fits a head beside its results. API Gateway itself takes 10 MB."""

CONFLICT_TRIES: Final = 3
"""Tries of a write that meets a transaction under way on the same item, one after the other without a pause."""

INBOX_PAGE_ITEMS: Final = 25
"""Signals read at once while looking for the oldest that matches."""

# --- steps -------------------------------------------------------------------------------------

RUN_STEPS_MAX_DEFAULT: Final = 1_000_000
"""Versions after which a run is failed unless told otherwise: the last guard against a loop without end."""

ANOTHER_STEP_NEEDS_MS: Final = 10_000
"""Time a function must have left to execute another step after its first."""

# --- webhooks ----------------------------------------------------------------------------------

CALLBACK_LIFETIME_MS: Final = 90 * 24 * 3600 * 1000
"""How long a capability URL works when its wait has no time limit of its own."""

# --- HTTP --------------------------------------------------------------------------------------

IDEMPOTENCY_KEY_CHARACTERS_MAX: Final = 255
"""Length of an Idempotency-Key header."""

TAGS_MAX: Final = 50
"""Tags of one run, as on AWS resources."""
