"""The corpus: workflow shapes, each with its script and its end, on which every invariant is tried."""

from __future__ import annotations

from tests.engine.corpus.branches import BRANCHES
from tests.engine.corpus.failures import FAILURES
from tests.engine.corpus.loops import LOOPS
from tests.engine.corpus.play import Execution, Moment, Play, Player, through_json
from tests.engine.corpus.retries import RETRIES
from tests.engine.corpus.shape import Shape
from tests.engine.corpus.straight import STRAIGHT
from tests.engine.corpus.waits import WAITS

SHAPES: tuple[Shape, ...] = (*STRAIGHT, *BRANCHES, *LOOPS, *WAITS, *RETRIES, *FAILURES)

__all__ = ["SHAPES", "Execution", "Moment", "Play", "Player", "Shape", "through_json"]
