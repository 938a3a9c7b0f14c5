"""``refluxo``: finds the command that is asked for, runs it, and says how it ended.

Owns the mapping of errors to exit codes and messages; what a command does is in ``cli/commands``.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import click

from cli import commands
from cli.failures import DONE, INTERRUPTED, MEANINGS, USAGE, CommandError
from cli.plain_text import plain

LOCAL_EXTRA: Final = frozenset({"boto3", "botocore", "dotenv", "flask", "flask_cors", "moto", "rich", "watchfiles"})
"""Modules of the extra ``[local]``."""

SECTIONS: Final = ("This machine", "Runs", "Workflows", "Service")

_EXIT_CODES: Final = "Exit codes: " + "; ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + "."


class Commands(click.Group):
    """The commands of ``cli/commands``, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """See click."""
        return sorted(self._modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """See click."""
        module = self._modules().get(cmd_name)
        command = None if module is None else importlib.import_module(f"{commands.__name__}.{module}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See click: the commands by section."""
        sections: dict[str, list[tuple[str, str]]] = {section: [] for section in SECTIONS}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            section = importlib.import_module(f"{commands.__name__}.{self._modules()[name]}").SECTION
            if command is not None:
                sections[section].append((name, command.get_short_help_str(90)))
        for section, rows in sections.items():
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)

    def _modules(self) -> dict[str, str]:
        found = pkgutil.iter_modules(commands.__path__)
        return {module.name.rstrip("_").replace("_", "-"): module.name for module in found}

    def invoke(self, ctx: click.Context) -> object:
        """See click; a reader of our output who has seen enough is no failure."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is left in the buffer has nowhere to go, and Python would complain of it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return DONE
        return code

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """See click; ends the process with our exit codes."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        sys.exit(_run(lambda: super(Commands, self).main(arguments, *more, **extra), as_json="--json" in arguments))


@click.group(
    cls=Commands,
    epilog=_EXIT_CODES + " Times given are local unless they name a zone. REFLUXO_URL: the address of the API.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="refluxo-dispatcher", prog_name="refluxo", message="%(prog)s %(version)s")
def refluxo() -> None:
    """Durable workflows on AWS with nothing to operate.

    Commands about runs and workflows speak to the HTTP API at --url: the local stack unless told otherwise, or a
    deployed one, signed with your AWS credentials.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        Its exit code, see cli/failures.py.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a glyph that a terminal lacks is no reason to fail
    try:
        refluxo.main(arguments, prog_name="refluxo")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else DONE
    return DONE


def _run(command: Callable[[], object], *, as_json: bool) -> int:
    try:
        code = command()
        return code if isinstance(code, int) else DONE
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(f"{error.format_message()}\n")
        return USAGE
    except (CommandError, click.ClickException, ModuleNotFoundError) as error:
        return _tell(_command_error(error), as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED


def _command_error(error: Exception) -> CommandError:
    """An error as what is told of it."""
    if isinstance(error, CommandError):
        return error
    if isinstance(error, click.ClickException):
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx is not None else "refluxo"
        return CommandError(error.format_message(), USAGE, advice=f"{path} --help")
    name = getattr(error, "name", None)
    if name is None or name.partition(".")[0] not in LOCAL_EXTRA:
        raise error  # a module that the user's own code lacks: the traceback names the file
    advice = "install the extra: pip install 'refluxo-dispatcher[local]'"
    return CommandError(f"{name} is not installed", USAGE, advice=advice)


def _tell(error: CommandError, *, as_json: bool) -> int:
    if as_json:
        sys.stderr.write(json.dumps(error.document()) + "\n")
        return error.exit_code
    sys.stderr.write("\n".join(_lines(error)) + "\n")
    return error.exit_code


def _lines(error: CommandError) -> Iterator[str]:
    first, *rest = str(error).splitlines() or [""]
    yield f"refluxo: {plain(first)}"
    yield from (f"  {plain(line.strip())}" for line in (*rest, *error.faults()))
    if error.advice is not None:
        yield f"  next: {plain(error.advice)}"


if __name__ == "__main__":
    sys.exit(main())
