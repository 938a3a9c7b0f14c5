"""Node types of the content-approval example: rate a text, publish it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, Field

from engine import Registry, Step


class ClassifierUnavailable(Exception):
    """The classifier did not answer; the next attempt may find it well."""


class Draft(BaseModel):
    """A text to be rated. ``outages``: how many attempts find the classifier down, to see a retry at work."""

    title: Annotated[str, Field(min_length=1)]
    text: str
    outages: Annotated[int, Field(ge=0)] = 0


class Rating(BaseModel):
    """What the classifier thinks of a text: words, and the share of them that shout (0 to 1)."""

    words: int
    shouting: float


class Article(BaseModel):
    """A text to be published, and who let it through."""

    title: str
    approved_by: str


class Publication(BaseModel):
    """Where an article went. ``receipt`` is the same however often the step is executed."""

    slug: str
    approved_by: str
    receipt: str


def classify(draft: Draft, step: Step) -> Rating:
    """Rates a draft."""
    if step.attempt <= draft.outages:
        raise ClassifierUnavailable(f"503 from the classifier, attempt {step.attempt}")
    words = re.findall(r"[^\W\d_]+", draft.text)
    shouted = [word for word in words if len(word) > 1 and word.isupper()]
    return Rating(words=len(words), shouting=round(len(shouted) / len(words), 2) if words else 0.0)


def publish(article: Article, step: Step) -> Publication:
    """Publishes an article; the idempotency key would go to whatever service does it."""
    slug = re.sub(r"[^a-z0-9]+", "-", article.title.lower()).strip("-") or "untitled"
    return Publication(slug=slug, approved_by=article.approved_by, receipt=step.idempotency_key)


def register(registry: Registry) -> None:
    """Adds this module's node types."""
    registry.node("content:classify")(classify)
    registry.node("content:publish")(publish)
