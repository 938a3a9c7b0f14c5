"""``{{ 'decision'|callbackUrl }}``: a link by which somebody outside sends the run a signal."""

from __future__ import annotations

from typing import Final

from engine.expressions import HostTransform, TransformCall
from engine.transform import SIGNAL_URL


def callback_url(call: TransformCall, value: object, *arguments: object) -> str:
    """The capability URL of the signal that ``value`` names; whoever has it may send the signal once."""
    if arguments:
        raise call.fault(f"takes no arguments, not {len(arguments)}")
    signal_url = call.names.get(SIGNAL_URL)
    if not callable(signal_url):
        raise call.fault("no webhook can arrive here; the dispatcher makes links, the bare engine does not")
    try:
        return str(signal_url(call.text(value)))
    except ValueError as error:
        raise call.fault(str(error)) from None


CALLBACK_URL: Final = HostTransform(callback_url)
