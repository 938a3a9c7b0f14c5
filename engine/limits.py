"""Every limit of the engine, units last, each with its source."""

from __future__ import annotations

from typing import Final

# --- snapshots ---------------------------------------------------------------------------------

SCHEMA_VERSION: Final = 1
"""Version of the wire format this engine writes."""

STEP_LIMIT: Final = 100
"""Steps of one ``WorkflowEngine.execute`` call unless told otherwise: Refluxo's own default."""

NESTED_STEPS_MAX: Final = 1_000
"""Steps of a node type that is itself a workflow: they all run within one step of the run that uses it."""

MOMENT_MS_MAX: Final = 253_402_300_799_999
"""Latest moment a run may wait for: the end of the year 9999, the last that dates are written for (RFC 3339)."""

# --- JSON values -------------------------------------------------------------------------------

JSON_DEPTH_MAX: Final = 100
"""Nesting of a JSON value: well inside Python's recursion limit, deeper than any payload met in the field."""

INTEGER_BITS_MAX: Final = 4096
"""Size of an integer. CPython refuses to print more than 4,300 digits; 4,096 bits are 1,234 digits."""

ERROR_CHARACTERS_MAX: Final = 2_000
"""Length of an error's message as a snapshot keeps it: the history of a run that retries is made of them."""

# --- retries -----------------------------------------------------------------------------------

RETRY_AFTER_MS_MAX: Final = 24 * 3600 * 1000
"""Longest wait that an error itself may ask for: a day, the longest period in which services count calls against a
quota. Retry-After has no bound of its own (RFC 9110, 10.2.3), so what asks for more is taken for a mistake."""

# --- core:http ---------------------------------------------------------------------------------

HTTP_TIMEOUT_MS_MAX: Final = 15 * 60 * 1000
"""Longest time that one call may be given: a Lambda function runs no longer (Lambda quotas)."""

# --- names -------------------------------------------------------------------------------------

ID_CHARACTERS_MAX: Final = 128
"""Length of a run's id as users give it: a child's id appends 27 characters (dispatch-protocol.md)."""

NAME_CHARACTERS_MAX: Final = 128
"""Length of a workflow's, node's or signal's name: they go into DynamoDB keys (1,024 bytes a sort key)."""

NAMES_SHOWN_MAX: Final = 20
"""Names that a fault lists to choose from: each of many faults repeats them."""

# --- expressions -------------------------------------------------------------------------------

EXPRESSION_CHARACTERS_MAX: Final = 10_000
"""Length of one expression's source."""

EXPRESSION_DEPTH_MAX: Final = 64
"""Nesting of one expression: a level costs up to six Python frames, of which there are 1,000."""

EXPRESSION_STEPS_MAX: Final = 2_000_000
"""Work of one evaluation, or of all those of one ``transform``: a step is one node of a filter for one element,
one element a transform looks at, one value of a result, or EXPRESSION_STEP_CHARACTERS of text. About a second."""

EXPRESSION_STEP_CHARACTERS: Final = 8
"""Characters of text that cost one step, so that a result has at most 16 million of them: an HTTP API takes 10 MB."""

EXPRESSION_RESULT_CHARACTERS_MAX: Final = 1_000_000
"""Length of any text an expression builds. Text that is only passed on may be longer."""

EXPRESSION_CACHE_ENTRIES_MAX: Final = 1_024
"""Parsed expressions, and parsed templates, that one engine keeps: far more than a workflow has."""

INTEGER_DIGITS_MAX: Final = 1_233
"""Digits of an integer written or read as text: the most that always fit in INTEGER_BITS_MAX."""

# --- drawings ----------------------------------------------------------------------------------

LABEL_CHARACTERS_MAX: Final = 60
"""Length of a text in a drawing: about four lines of a Mermaid box, which wraps at 200 pixels."""
