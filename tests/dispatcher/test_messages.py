"""Messages: what is written is read, and nothing else is."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.errors import MalformedMessage
from dispatcher.messages import Continuation, Message, Wake, decode, encode, valid_run_id

RUN_IDS = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,127}(~[a-z2-7]{26})?\Z")
MESSAGES = st.builds(Continuation, RUN_IDS, st.integers(0, 2**63)) | st.builds(Wake, RUN_IDS)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["workflowId", "version"]), inner),
    max_leaves=8,
)


@settings(derandomize=True, deadline=None)
@given(MESSAGES)
def test_a_message_is_read_as_it_was_written(message: Message) -> None:
    """For every id a run can have."""
    assert decode(encode(message)) == message


@settings(derandomize=True, deadline=None)
@given(st.text() | JSON.map(json.dumps))
def test_no_body_raises_anything_but_malformed(body: str) -> None:
    """Whatever arrives is a message or is malformed, and says why."""
    with contextlib.suppress(MalformedMessage):
        assert isinstance(decode(body), Continuation | Wake)


@pytest.mark.parametrize("run_id", ["a", "_", "0", "a.b:c@d-e_f", "r" * 128, "root~" + "a2" * 13])
def test_ids_of_runs(run_id: str) -> None:
    """A user's name for a run, or a child's: the root's, a tilde and 26 base32 digits."""
    assert valid_run_id(run_id)


@pytest.mark.parametrize(
    "run_id",
    ["", "-a", ".a", "a b", "a#b", "a/b", "ä", "r" * 129, "a~", "a~b", "~" + "a2" * 13, "a~" + "A2" * 13, "a\n"],
)
def test_what_is_no_id_of_a_run(run_id: str) -> None:
    """Ids become parts of keys and paths."""
    assert not valid_run_id(run_id)
