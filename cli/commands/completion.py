"""``refluxo completion``: what a shell needs to complete our commands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from cli.failures import DONE
from cli.options import examples, json_option
from cli.output import Output

SECTION = "This machine"

SHELLS: Final = ("bash", "zsh", "fish")


@click.command(
    "completion",
    epilog=examples(
        'eval "$(refluxo completion bash)"    # in ~/.bashrc; zsh alike, in ~/.zshrc',
        "refluxo completion fish > ~/.config/fish/completions/refluxo.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@json_option
@click.pass_context
def command(ctx: click.Context, shell: str | None, *, as_json: bool) -> int:
    """Print the script for your shell's completion.

    It completes commands, options, workflow names and run ids. Names and ids come from the API (--url,
    REFLUXO_URL), and names from your registry where that does not answer.
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415  (loaded when used)

    found = shell or Path(os.environ.get("SHELL", "bash")).name
    kind = get_completion_class(found)
    if kind is None:
        raise click.UsageError(f"there is no completion for {found}; give one of {', '.join(SHELLS)}")
    root = ctx.find_root()
    script = kind(root.command, {}, "refluxo", "_REFLUXO_COMPLETE").source()
    if as_json:
        Output(as_json=True).document({"shell": found, "script": script})
    else:
        click.echo(script)
    return DONE
