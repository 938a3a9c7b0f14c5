"""The workflows that the storage benchmark runs: ten nodes in a ring, and what they put out."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, Final

from engine import Output, Registry, Step, WorkflowDefinition
from engine.json_value import JsonObject, JsonValue

LENGTHS: Final = (100, 1_000)
FAR: Final = (10_000, 100_000)
LOOP_NODES: Final = 10


@dataclass(frozen=True, slots=True)
class Workload:
    """What the nodes of a workflow put out and look at, and the lengths it is measured at.

    Args:
        name: what the report calls it.
        size: bytes of JSON that each step puts out.
        random_digits: whether that is noise, as hexadecimal digits, or an order as shops have them.
        lengths: every step up to here goes through DynamoDB Local.
        far: the last steps before each of these do.
        looks_back: whether each step looks at an output of some steps ago, besides that of the step before.
        cold: whether each step meets a process that remembers nothing.
    """

    name: str
    size: int
    random_digits: bool = False
    lengths: tuple[int, ...] = LENGTHS
    far: tuple[int, ...] = ()
    looks_back: bool = False
    cold: bool = False

    def make(self, number: int) -> JsonObject:
        """The output of a step, the same whenever it is asked for."""
        rng = random.Random(number)  # noqa: S311  (filling, not secrets)
        if self.random_digits:
            return _filled({"id": number}, rng.randbytes(self.size // 2).hex(), self.size)
        order: JsonObject = {"id": number, "status": rng.choice(("paid", "shipped")), "customer": rng.randrange(10**6)}
        items: list[JsonValue] = []
        while len(_json({**order, "items": items})) < self.size - 70:
            items.append(
                {"sku": f"A-{rng.randrange(10**4)}", "quantity": rng.randrange(9), "cents": rng.randrange(10**4)}
            )
        return _filled({**order, "items": items}, "to be delivered on the next working day, to the door", self.size)


def _json(value: JsonValue) -> str:
    """JSON as short as it gets."""
    return json.dumps(value, separators=(",", ":"))


def _filled(output: JsonObject, text: str, size: int) -> JsonObject:
    return {**output, "note": text[: size - len(_json({**output, "note": ""}))]}


SMALL: Final = (
    Workload("200 B of text", 200, far=FAR),
    # What holds for text at 100,000 steps holds for digits: it is the same head, less well compressed.
    Workload("200 B of random digits", 200, random_digits=True, far=FAR[:1]),
)
LARGE: Final = (
    Workload("2 KB of random digits", 2_000, random_digits=True, lengths=(100, 300)),
    Workload("20 KB of random digits", 20_000, random_digits=True, lengths=(100,)),
    Workload("1 MB of random digits", 1_000_000, random_digits=True, lengths=(20,)),
)
LOOKING_BACK: Final = (
    Workload("looking back, warm", 200, looks_back=True, lengths=(300,)),
    Workload("looking back, cold", 200, looks_back=True, cold=True, lengths=(300,)),
)
ALL: Final = SMALL + LOOKING_BACK + LARGE

_BY_NAME: Final = {workload.name: workload for workload in ALL}


def loop(workload: Workload, steps: int) -> WorkflowDefinition:
    """Ten nodes in a ring, each of which looks at the output of the one before, until there were enough steps."""
    data: dict[str, object] = {"workload": workload.name, "steps": steps, "before": "{{ previous.id }}"}
    if workload.looks_back:
        data["earlier"] = "{{ nodes.n0.last.data.id }}"
    nodes = [{"id": f"n{i}", "type": "bench:emit", "data": data} for i in range(LOOP_NODES)]
    edges = [{"source": f"n{i}", "target": f"n{(i + 1) % LOOP_NODES}"} for i in range(LOOP_NODES)]
    return WorkflowDefinition.parse({"name": "loop", "nodes": nodes, "edges": edges})


def emit(data: dict[str, Any], step: Step) -> Output:
    """Puts out what the workflow is measured with; ends the run with its last step."""
    number = (step.visit - 1) * LOOP_NODES + int(step.node_id[1:])
    earlier = (number - 1) // LOOP_NODES * LOOP_NODES
    if number and (data["before"], data.get("earlier", earlier)) != (number - 1, earlier):
        raise ValueError(f"step {number} has seen {data}")
    return Output(_BY_NAME[data["workload"]].make(number), "enough" if number + 1 == data["steps"] else None)


def registry_of(workflow: WorkflowDefinition) -> Registry:
    """The registry of one workflow."""
    registry = Registry()
    registry.node("bench:emit", handles=("enough",))(emit)
    registry.add(workflow)
    return registry
