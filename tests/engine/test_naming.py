"""The spelling of fields in JSON, which is pydantic's own."""

from __future__ import annotations

import pytest
from pydantic.alias_generators import to_camel

from engine import core_data, definition, node_data
from engine.naming import camel_case
from engine.retry import RetryPolicy

MODELS = [
    model
    for module in (core_data, definition, node_data)
    for model in vars(module).values()
    if hasattr(model, "model_fields") and model.__module__ == module.__name__
]


@pytest.mark.parametrize("fields", [RetryPolicy.__slots__, *(tuple(m.model_fields) for m in MODELS)], ids=str)
def test_names_are_spelt_as_pydantic_spells_them(fields: tuple[str, ...]) -> None:
    """Documents written before, and clients that read them, go by these names."""
    assert [camel_case(name) for name in fields] == [to_camel(name) for name in fields]
