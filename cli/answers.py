"""What is printed of the answer to a call that changes something."""

from __future__ import annotations

from cli.failures import DONE
from cli.http_client import Answer
from cli.options import Remote


def told_accepted(remote: Remote, answer: Answer, what: str) -> int:
    """Tells that a call was taken, or had been before; with --json the document as it came."""
    if remote.output.as_json:
        remote.output.document(answer.document)
        return DONE
    from cli.plain_text import plain  # noqa: PLC0415  (loaded when used)

    repeated = " (it had been before)" if answer.document.get("repeated") is True else ""
    remote.output.show(plain(what + repeated))
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
