"""Every limit of the shell, units last, each with its source."""

from __future__ import annotations

from typing import Final

# --- AWS calls ---------------------------------------------------------------------------------

AWS_TRIES: Final = 6
"""Tries of one call that is throttled or answered by 5xx: with jittered waits of up to 1, 2, 4, 8 and 16 s (botocore's
standard mode) a passing shortage does not cost a delivery."""

AWS_CONNECT_TIMEOUT_SECONDS: Final = 2
"""A connection within one region takes milliseconds."""

AWS_READ_TIMEOUT_SECONDS: Final = 8
"""An answer takes milliseconds; a function may have 30 s in all."""

CONFLICT_PAUSE_MS: Final = 20
"""First pause after a write met a transaction on the same item; doubled each time, drawn evenly from 0."""

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

REQUEST_BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""Largest request body of the HTTP API: a synchronous call of Lambda takes 6 MB, which base64 makes 4.5."""

CONFLICT_TRIES: Final = 3
"""Tries of a write that meets a transaction under way on the same item, with a short pause between them."""

INBOX_PAGE_ITEMS: Final = 25
"""Signals read at once while looking for the oldest that matches."""

# --- history, all measured on DynamoDB Local (dispatch-protocol.md, "State"; benchmarks/bench_storage.py) ---

TAIL_BYTES_MAX: Final = 4096
"""Raw JSON of the entries in a head from which on they are sealed in a segment. At 8 KB a step costs over three
write units."""

INLINE_BYTES_MAX: Final = 512
"""Compressed size up to which a value stays where it is used; a larger one becomes an object of its own."""

INDEX_NODES_MAX: Final = 64
"""Nodes in the index of a head above which it is spilled to a page."""

INDEX_NODES_KEPT: Final = 32
"""Nodes that stay in the head then, so that a page is written at most every 32 nodes."""

CACHE_BYTES_MAX: Final = 32 * 1024 * 1024
"""Raw JSON of sealed objects that one process keeps: they never change, so they are read once."""

HISTORY_PAGE_ENTRIES: Final = 100
"""Entries of one page of a run's history, unless told otherwise."""

HISTORY_PAGE_ENTRIES_MAX: Final = 1_000
"""Most entries of one page."""

# --- operators -------------------------------------------------------------------------------------

STEP_TRIES_MAX: Final = 3
"""Executions of one version after its first that were cut short before it counts as crashed. A message is delivered
five times, so the fifth delivery records it (maxReceiveCount, field-notes.md)."""

CLAIM_SKEW_MS: Final = 60_000
"""How much longer than its holder's deadline a claim is honoured: clocks differ, and a stop takes its time."""

CLAIM_WITHOUT_DEADLINE_MS: Final = 15 * 60_000
"""How long a claim is honoured where nothing stops the holder: the longest a Lambda function may take."""

STEP_RESERVE_MS: Final = 3_000
"""Time kept back from a step for its commit and what follows, before the platform stops the function."""

OPERATOR_TRIES: Final = 5
"""Times an operator's call is made again when a step has committed in between."""

FORK_VERSIONS_SEARCHED: Final = 200
"""Versions looked at for the newest at which a step was about to be executed; a run pauses seldom that often."""

REASON_CHARACTERS_MAX: Final = 500
"""Length of the reason an operator gives."""

# --- listing ---------------------------------------------------------------------------------------

LIST_LIMIT_MAX: Final = 200
"""Runs of one page of a listing at most."""

LIST_ROUNDS_MAX: Final = 10
"""Times an index is asked for one page while looking for runs of one workflow among those of one status."""

# --- retention -------------------------------------------------------------------------------------

PIN_YOUNG_MS: Final = 15 * 60_000
"""How long a pin counts although its fork is not there: longer than any call takes that is about to make it."""

PURGE_KEYS_PER_READ: Final = 100
"""Items of an expired run that are removed at once."""

PURGE_TIME_MAX_MS: Final = 10_000
"""How long one delivery goes on removing; the rest is the next one's."""

# --- steps -------------------------------------------------------------------------------------

RUN_STEPS_MAX_DEFAULT: Final = 1_000_000
"""Versions after which a run is failed unless told otherwise: the last guard against a loop without end."""

ANOTHER_STEP_NEEDS_MS: Final = 10_000
"""Time a function must have left to execute another step after its first."""

# --- core:http ---------------------------------------------------------------------------------

HTTP_TIMEOUT_MS: Final = 10_000
"""Time of a whole call unless told otherwise: a third of what a step has by default, so that its failure is recorded
and retried."""

HTTP_DEADLINE_RESERVE_MS: Final = 100
"""How long before its step is stopped a call gives up: what then fails is the call, by its own name."""

HTTP_CONNECT_TIMEOUT_MS: Final = 3_000
"""Time for a connection to one address: three tries of TCP, whose first two waits are 1 s each (RFC 6298, 2.1)."""

HTTP_REDIRECTS_MAX: Final = 5
"""Redirects followed: the most that HTTP recommended while it named a number (RFC 9110, 15.4)."""

HTTP_URL_CHARACTERS_MAX: Final = 8_000
"""Length of a URL's path and query: what every server should take (RFC 9110, 4.1)."""

HTTP_RESPONSE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Largest body of a response, unpacked: as large as a body that the HTTP API takes."""

HTTP_HEADER_BYTES_MAX: Final = 64 * 1024
"""Largest sum of a response's headers: they are a part of the result; servers stop at 8 to 16 KB of a request's."""

HTTP_ERROR_BODY_BYTES_MAX: Final = 64 * 1024
"""How much of an error's body is read: enough to find in it whatever secret it sends back, whole."""

HTTP_ERROR_EXCERPT_CHARACTERS: Final = 200
"""How much of an error's body is told."""

# --- webhooks ----------------------------------------------------------------------------------

CALLBACK_LIFETIME_MS: Final = 90 * 24 * 3600 * 1000
"""How long a capability URL works when its wait has no time limit of its own."""

# --- HTTP --------------------------------------------------------------------------------------

IDEMPOTENCY_KEY_CHARACTERS_MAX: Final = 255
"""Length of an Idempotency-Key header."""

TAGS_MAX: Final = 50
"""Tags of one run, as on AWS resources."""

DESCRIPTION_CHARACTERS_MAX: Final = 500
"""Characters of a workflow's description that a list of workflows tells."""

PUT_TRIES: Final = 5
"""Times a definition is put again when another one has been put in between."""

SOUGHT_PAGE_RUNS: Final = 100
"""Runs of the index that are looked at together for those of a tag or a tenant; each costs the read of its head."""

SOUGHT_PAGES_PER_CALL: Final = 5
"""How often that is done for one page of a listing: 500 heads take some two seconds."""

PREFLIGHT_SECONDS: Final = 7_200
"""How long a browser may remember what it may call: the longest that Chromium keeps to (MDN,
"Access-Control-Max-Age")."""

WAIT_SECONDS_MAX: Final = 25
"""Longest wait for a run's end: API Gateway gives up after 30 s (HTTP API and REST API quotas), and the start, a cold
one at worst, takes its part."""

WAIT_RESERVE_MS: Final = 2_000
"""Time kept back from a wait to answer in, before the platform stops the function."""

WAIT_FIRST_PAUSE_MS: Final = 50
"""First pause between two looks at a run that somebody waits for: a step takes about as long."""

WAIT_PAUSE_GROWTH: Final = 1.5
"""What each further pause is multiplied by: 25 s are 32 looks, of half a read unit to one each."""

WAIT_PAUSE_MAX_MS: Final = 1_000
"""Longest pause: so much longer than the run itself may an answer take."""
