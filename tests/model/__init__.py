"""An exhaustive model of the dispatch protocol: every order of its actions, every combination of a few faults.

It answers what tests of the code cannot: whether the *rules* suffice, and whether each is needed. The rules are those
of docs/protocol.md; holds, claims and the counting of crashes are here as they are designed, before they are built.

**What is modelled.** One run of a short workflow. The head with its version, due mark and bookkeeping; the queue, as a
bag of messages in any order with delays and redelivery; any number of workers, each at a point between two calls of
its ports (read, commit, read the inbox after pausing, send, acknowledge); the inbox; callers that start, signal, repeat
a signal, hold and resume, each between its read, its write and its send; the sweep, between reading, moving the mark
and sending; time in ticks. Time passes when nobody has anything to do at once, or by a fault.

**Faults**, in any combination within a scenario's budget, at any moment: a process dies (*crash*); a message is
delivered twice, at once or ever so late, whoever acknowledges it acknowledging one copy or both (*duplicate*); a commit
or a send is done but reported as failed, so that the SDK repeats it (*unsure*); the queue is emptied (*purge*); time
passes while somebody is at work (*slow*); a message is received and returned unread (*throttle*).

**What is left out.** What a step computes, results and their storage, fan-out, batches, clock skew, a lagging index
(the sweep reads the head anyway), and more than one sweep at once. The durations are a few ticks in the order of the
real ones. A crash between reading and writing nothing is no fault. A run that has ended stays as it is, so faults
after the end are not explored. Under the protocol's own rules what cannot matter any more is done first and alone
(``successors`` in world.py says why that hides nothing); weakened rules are explored without it.

**Safety**, of each action:

- *one commit per version*: a commit replaces the very head that its step was executed on; *an ended run stays as it
  is*;
- *no step executes before its time*; *no wait ends without its cause*; *a signal in time wins over the timeout*;
- *a signal is taken once*; *a payload stays until its step succeeds*;
- *a step executes once, and once more per fault*: over the whole run, all executions beyond the first of a version are
  at most the faults so far, so without faults there is none. A signal accounts for one more, since it is announced
  twice when it meets the pausing step; a resume for two, since a message from before the hold may still be there.
  Where a scenario says so a fault accounts for two;
- *an at-most-once step executes at most once*; *only a step that has crashed counts as crashing*;
- *a held run is left alone*: no step begins, and no commit that found the hold sends a continuation.

**Liveness**, of the graph of all worlds, by the system's own actions alone: no further fault, no further call.

- *activity ends*: the graph has no cycle;
- *no run is lost*: a world without such an action is one where the run has ended, or is held, or waits without a time
  limit and every accepted signal of that name is taken (or the start was never written).

Together: from every world that can come about, once faults stop, every run of the system comes to rest, and rests
rightly. No fairness is needed but that something happens while something can.

**Files.** state.py: the world as tuples, and the durations. rules.py: the protocol's rules as switches, and the recipe.
program.py: the workflow, and what executing a step comes to. delivery.py: the dispatcher. outside.py: callers,
operators and the sweep. world.py: all that can happen next, with time and faults. checker.py: breadth-first search, so
that traces are shortest. scenarios.py: what is explored. weakenings.py: rules that are not enough, and what each
breaks. report.txt: the number of worlds of each scenario, and the shortest trace of each weakening; ``python -m
tests.model --write`` makes it.
"""
