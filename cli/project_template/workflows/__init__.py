"""The workflows of {{name}}: what the functions run."""

import os
from pathlib import Path

from engine import Registry
from engine.json_value import JsonValue
from workflows.nodes import mail


def settings() -> dict[str, JsonValue]:
    """What expressions read as ``globals``; it is never stored with a run."""
    return {"shopUrl": os.environ.get("SHOP_URL", "https://shop.example.com")}


registry = Registry(globals_provider=settings)
mail.register(registry)
registry.load_folder(Path(__file__).parent / "definitions")
