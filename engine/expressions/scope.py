"""What one evaluation carries along: the names it may read, and what is left of its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ExpressionBudgetExceeded, ExpressionError
from engine.limits import EXPRESSION_RESULT_CHARACTERS_MAX, EXPRESSION_STEP_CHARACTERS, EXPRESSION_STEPS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping


class Scope:
    """One evaluation. ``element`` is what ``.name`` reads: the names, or inside a filter one element."""

    __slots__ = ("element", "names", "steps_left", "text")

    def __init__(self, names: Mapping[str, object], text: str) -> None:
        self.names = names
        self.element: object = names
        self.text = text
        self.steps_left = EXPRESSION_STEPS_MAX

    def spend(self, steps: int) -> None:
        """Takes ``steps`` from the budget; called before the work is done.

        Raises:
            ExpressionBudgetExceeded: there is not enough left.
        """
        self.steps_left -= steps
        if self.steps_left < 0:
            raise self.exhausted(f"more than {EXPRESSION_STEPS_MAX} steps")

    def spend_on_text(self, text: str) -> None:
        """Takes from the budget what it costs to read ``text``."""
        self.spend(len(text) // EXPRESSION_STEP_CHARACTERS + 1)

    def reserve_text(self, characters: int) -> None:
        """Checks that a text of that length may be built, and takes from the budget what that costs.

        Raises:
            ExpressionBudgetExceeded: it would be too long, or there is not enough left.
        """
        if characters > EXPRESSION_RESULT_CHARACTERS_MAX:
            raise self.exhausted(f"a text longer than {EXPRESSION_RESULT_CHARACTERS_MAX} characters")
        self.spend(characters // EXPRESSION_STEP_CHARACTERS + 1)

    def fault(self, message: str, position: int | None = None) -> ExpressionError:
        """Returns the error for a fault at ``position`` of the text under evaluation."""
        return ExpressionError(message, expression=self.text, position=position)

    def exhausted(self, message: str) -> ExpressionBudgetExceeded:
        """Returns the error for a budget that ran out."""
        return ExpressionBudgetExceeded(message, expression=self.text)
