"""The rules of the protocol as switches: each weakening is a difference of one line from :data:`PROTOCOL`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which rules hold. The defaults are the protocol; every other value is a tempting simplification.

    Args:
        versioned_messages: a continuation names the version it is about; a stale one is dropped.
        compare_and_swap: a commit is conditional on the version.
        every_transition_counts: pausing, failing and retrying raise the version too.
        commit_before_send: first the commit, then the message.
        send_before_acknowledge: the delivery is acknowledged when all it owes is sent.
        stale_sends: which stale message sends the head's continuation once more: the one whose delivery committed
            that head, none, or any.
        knows_own_write: a write that was done but reported as failed is known by its writer's id.
        early_waits: a message before its time is sent again for the rest, not executed.
        wait_needs_cause: a waiting run goes on by a signal or its timer, not by any message.
        inbox: a signal is written before it is announced; else its payload travels in a message.
        pending_stays: a payload stays in the head until the step that takes it succeeds.
        in_time_wins: a signal that came before the timeout wins, whichever is noticed first.
        taking: how a signal leaves the inbox: named in the head by the commit that takes it and removed later,
            removed after the commit, or removed before it.
        looks_after_pausing: a run that pauses reads its inbox after its commit.
        signal_dedupe: a signal of an id that has come before is not put into the inbox again.
        signal_marks: a signal sets the due mark in its own write.
        calls_lower_mark: the mark that an outside call leaves: earlier than the one that it has read, or not later than
            that.
        sweep: there is one.
        sweep_reads_inbox: a run with an unread signal is not at rest.
        removal_needs: what must be unchanged for the sweep to remove a mark: the version, the mark, and the number of
            signals, holds and releases that the head has counted.
        mark_before_send: the sweep moves the mark, then sends; else it removes the mark first.
        grace: the sweep gives a message that may be on its way the time of a redelivery.
        far_timers: who keeps a timer beyond the queue's reach: the mark alone, or both mark and queue.
        commit_sees_hold: a commit that finds the run held sends nothing.
        delivery_sees_hold: a delivery that finds the run held is acknowledged.
        claims: what an at-most-once step writes before it executes, and what its redelivery does: give up after the
            claim has run out, execute after it has run out, go on at once, or
            nothing is written.
        crash_count: by what a step counts as crashing: tries in the head, or the queue's receive count alone.
    """

    versioned_messages: bool = True
    compare_and_swap: bool = True
    every_transition_counts: bool = True
    commit_before_send: bool = True
    send_before_acknowledge: bool = True
    stale_sends: Literal["own", "none", "any"] = "own"
    knows_own_write: bool = True
    early_waits: bool = True
    wait_needs_cause: bool = True
    inbox: bool = True
    pending_stays: bool = True
    in_time_wins: bool = True
    taking: Literal["named in the head", "removed after", "removed before"] = "named in the head"
    looks_after_pausing: bool = True
    signal_dedupe: bool = True
    signal_marks: bool = True
    calls_lower_mark: Literal["below what was read", "not below"] = "below what was read"
    sweep: bool = True
    sweep_reads_inbox: bool = True
    removal_needs: Literal["version, mark and calls", "version and mark", "version"] = "version, mark and calls"
    mark_before_send: bool = True
    grace: bool = True
    far_timers: Literal["mark", "both"] = "mark"
    commit_sees_hold: bool = True
    delivery_sees_hold: bool = True
    claims: Literal["give up", "execute again", "redelivery goes on", "none"] = "give up"
    crash_count: Literal["tries", "receive count", "none"] = "tries"


PROTOCOL: Final = Rules()

RECIPE: Final = Rules(
    versioned_messages=False,
    compare_and_swap=False,
    every_transition_counts=False,
    stale_sends="none",
    knows_own_write=False,
    early_waits=False,
    wait_needs_cause=False,
    inbox=False,
    pending_stays=False,
    looks_after_pausing=False,
    sweep=False,
    delivery_sees_hold=False,
    commit_sees_hold=False,
    claims="none",
    crash_count="none",
)
"""The published recipe: load, execute one step, save, send the id of the run. It knows neither version nor sweep."""
