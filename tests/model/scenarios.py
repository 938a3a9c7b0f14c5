"""The scenarios: a workflow, who calls, and which faults may happen, all small enough to be exhausted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tests.model.checker import Verdict, explore
from tests.model.program import Setting, Step
from tests.model.rules import PROTOCOL, Rules
from tests.model.state import HOLD, RESUME, START, Budget
from tests.model.world import initial

_NO_FAULT: Final = Budget()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A world to explore.

    Args:
        steps: the workflow.
        calls: what callers may do, each once, at any time; besides the start.
        budget: the faults that may happen.
        steps_per_invocation: of the function.
        received_max: up to where receipts of a message are counted.
        executions_per_fault: what one fault may cost. It is 2 where a fault has a signal announced once more, or where
            two crashes in a row outlast the grace, so that the sweep sends besides.
        sweep: whether there is one. Without it a single fault must be repaired by redelivery alone.
    """

    steps: tuple[Step, ...]
    calls: tuple[int, ...] = ()
    budget: Budget = _NO_FAULT
    steps_per_invocation: int = 1
    received_max: int = 0
    executions_per_fault: int = 1
    sweep: bool = True

    def explore(self, rules: Rules = PROTOCOL) -> Verdict:
        """Explores it under the protocol, or under other rules, then without any reduction: the trace is shortest."""
        setting = Setting(
            program=self.steps,
            rules=rules if self.sweep else replace(rules, sweep=False),
            steps_per_invocation=self.steps_per_invocation,
            received_max=self.received_max,
            executions_per_fault=self.executions_per_fault,
            reduced=rules == PROTOCOL,
        )
        return explore(setting, initial((START, *self.calls), self.budget))

    def with_faults(self, **faults: int) -> Scenario:
        """The same with these faults alone."""
        return replace(self, budget=Budget(**faults))

    def without_sweep(self) -> Scenario:
        """The same where no sweep runs."""
        return replace(self, sweep=False)


_WORK: Final = Step("work")
_WAIT: Final = Step("wait")

TWO_STEPS: Final = Scenario(steps=(_WORK, _WORK))
THREE_STEPS_TWO_PER_INVOCATION: Final = Scenario(steps=(_WORK, _WORK, _WORK), steps_per_invocation=2)
RETRY: Final = Scenario(steps=(Step("flaky", 1), _WORK))
FAR_RETRY: Final = Scenario(steps=(Step("flaky", 5),))
SLEEP: Final = Scenario(steps=(Step("sleep", 2),))
FAR_SLEEP: Final = Scenario(steps=(Step("sleep", 5),))
SIGNAL: Final = Scenario(steps=(_WAIT,), calls=(1,))
SIGNAL_REPEATED: Final = Scenario(steps=(_WAIT,), calls=(1, 1))
SIGNAL_REPEATED_TWO_WAITS: Final = Scenario(steps=(_WAIT, _WAIT), calls=(1, 1))
TWO_SIGNALS_TWO_WAITS: Final = Scenario(steps=(_WAIT, _WAIT), calls=(1, 2))
SIGNAL_BESIDE_ANOTHER: Final = Scenario(steps=(_WAIT,), calls=(1, 3))
TIMEOUT: Final = Scenario(steps=(Step("wait", 1),), calls=(1,), executions_per_fault=2)
FAR_TIMEOUT: Final = Scenario(steps=(Step("wait", 5),), calls=(1,), executions_per_fault=2)
REPLY: Final = Scenario(steps=(Step("reply", 1),), calls=(1,))
HOLD_STEPS: Final = Scenario(steps=(_WORK, _WORK), calls=(HOLD, RESUME))
HOLD_WAIT: Final = Scenario(steps=(_WAIT,), calls=(1, HOLD, RESUME))
HOLD_SLEEP: Final = Scenario(steps=(Step("sleep", 5),), calls=(HOLD, RESUME))
AT_MOST_ONCE: Final = Scenario(steps=(Step("once"), _WORK))
DEADLY: Final = Scenario(steps=(Step("deadly"), _WORK), received_max=3)

SCENARIOS: Final[dict[str, Scenario]] = {
    "two steps": TWO_STEPS.with_faults(crash=2, duplicate=1, unsure=1, purge=1),
    "two steps, time slips": TWO_STEPS.with_faults(crash=1, duplicate=1, purge=1, slow=1),
    "three steps, two per invocation": THREE_STEPS_TWO_PER_INVOCATION.with_faults(crash=1, duplicate=1, unsure=1),
    "retry": RETRY.with_faults(crash=1, duplicate=1, purge=1),
    "far retry": FAR_RETRY.with_faults(crash=1, duplicate=1, purge=1),
    "far retry, two crashes": replace(FAR_RETRY, budget=Budget(crash=2, duplicate=1, purge=1), executions_per_fault=2),
    "sleep": SLEEP.with_faults(crash=1, duplicate=1, purge=1, slow=1),
    "far sleep": FAR_SLEEP.with_faults(crash=1, duplicate=1, unsure=1, purge=1, slow=1),
    "signal": SIGNAL.with_faults(crash=1, duplicate=1, purge=1),
    "signal, time slips": SIGNAL.with_faults(crash=1, unsure=1, slow=1),
    "signal repeated": SIGNAL_REPEATED.with_faults(crash=1),
    "signal repeated, two waits": SIGNAL_REPEATED_TWO_WAITS.with_faults(crash=1),
    "two signals, two waits": TWO_SIGNALS_TWO_WAITS.with_faults(unsure=1),
    "signal beside another's": SIGNAL_BESIDE_ANOTHER.with_faults(crash=1, purge=1),
    "timeout": TIMEOUT.with_faults(crash=1, duplicate=1),
    "timeout, time slips": TIMEOUT.with_faults(crash=1, purge=1, slow=1),
    "far timeout": FAR_TIMEOUT.with_faults(crash=1, purge=1, slow=1),
    "reply": REPLY.with_faults(crash=1, unsure=1, purge=1),
    "hold, steps": HOLD_STEPS.with_faults(crash=1, duplicate=1),
    "hold, steps, time slips": HOLD_STEPS.with_faults(crash=1, purge=1, slow=1),
    "hold, wait": HOLD_WAIT.with_faults(crash=1),
    "hold, sleep": HOLD_SLEEP.with_faults(crash=1, purge=1),
    "at most once": AT_MOST_ONCE.with_faults(crash=2, duplicate=1, unsure=1),
    "deadly step": DEADLY.with_faults(crash=1, duplicate=1, purge=1, throttle=2),
}
"""With the sweep: these faults, in any combination and at any time."""

FAULT_FREE: Final[dict[str, Scenario]] = {
    "two steps": TWO_STEPS,
    "three steps, two per invocation": THREE_STEPS_TWO_PER_INVOCATION,
    "retry": RETRY,
    "far retry": FAR_RETRY,
    "sleep": SLEEP,
    "far sleep": FAR_SLEEP,
    "signal": SIGNAL,
    "signal repeated, two waits": SIGNAL_REPEATED_TWO_WAITS,
    "two signals, two waits": TWO_SIGNALS_TWO_WAITS,
    "timeout": TIMEOUT,
    "far timeout": FAR_TIMEOUT,
    "reply": REPLY,
    "hold, steps": HOLD_STEPS,
    "hold, wait": HOLD_WAIT,
    "at most once": AT_MOST_ONCE,
    "deadly step": DEADLY,
}
"""No fault at all: every step executes exactly once, but for what calls from outside account for."""


REDELIVERY_ALONE: Final[dict[str, Scenario]] = {
    f"{name}, {fault}": scenario.without_sweep().with_faults(**{fault: 1})
    for name, scenario in {
        "two steps": TWO_STEPS,
        "three steps, two per invocation": THREE_STEPS_TWO_PER_INVOCATION,
        "retry": RETRY,
        "sleep": SLEEP,
        "signal repeated": SIGNAL_REPEATED,
        "timeout": TIMEOUT,
        "reply": REPLY,
        "at most once": AT_MOST_ONCE,
    }.items()
    for fault in ("crash", "duplicate", "unsure")
}
"""One fault and no sweep: the queue's redelivery repairs it, within its visibility timeout rather than in minutes."""
