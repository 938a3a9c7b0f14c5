"""What is printed of the answer to a call that changes something."""

from __future__ import annotations

from cli.failures import DONE
from cli.http_client import Answer
from cli.options import Remote


def told_accepted(remote: Remote, answer: Answer, what: str, *, repeated: str | None = None) -> int:
    """Tells that a call was taken, or in the words of ``repeated`` that one was before; with --json the document."""
    if remote.output.as_json:
        remote.output.document(answer.document)
        return DONE
    from cli.plain_text import plain  # noqa: PLC0415  (loaded when used)

    again = answer.document.get("repeated") is True
    remote.output.show(plain((repeated or f"{what} (it had been before)") if again else what))
    return DONE


def told_changed(remote: Remote, answer: Answer, what: str) -> int:
    """Tells a run's new status; with --json the document as it came."""
    if remote.output.as_json:
        remote.output.document(answer.document)
        return DONE
    from cli.plain_text import plain  # noqa: PLC0415  (loaded when used)
    from cli.run_view import status_text  # noqa: PLC0415

    remote.output.show(status_text(answer.document.get("status")).append(f"  {plain(what)}", style="default not bold"))
    return DONE
