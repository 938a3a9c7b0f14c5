"""Whether something is a pydantic model, asked without importing pydantic.

Where nobody has imported it there are no models, so a function whose workflows have none does not pay for it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from pydantic import BaseModel


def said_by(message: str) -> str:
    """A pydantic error's message; that of a validator as the validator has written it."""
    return message.removeprefix("Value error, ")


def is_model(value: object) -> TypeGuard[BaseModel]:
    """Whether it is an instance of a model."""
    return is_model_type(type(value))


def is_model_type(annotation: object) -> TypeGuard[type[BaseModel]]:
    """Whether it is a model class."""
    main = sys.modules.get("pydantic.main")
    return main is not None and isinstance(annotation, type) and issubclass(annotation, main.BaseModel)
