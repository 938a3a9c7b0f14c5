"""Jexl, the language inside ``{{ }}``: parsed once, run over JSON values, within budgets."""

from __future__ import annotations

from engine.expressions.references import Reference
from engine.expressions.transform_engine import JexlTransformEngine
from engine.expressions.transforms import HostTransform, TransformCall

__all__ = ["HostTransform", "JexlTransformEngine", "Reference", "TransformCall"]
