"""Put the `argosy` command together, and turn every error into one line and an exit code."""

from __future__ import annotations

import importlib
import os
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Annotated, NamedTuple

import typer

from argosy.cli import blob, dead, erasure, fleet, job, kind, mock, node, questions, schedule
from argosy.cli.output import complain
from argosy.errors import (
    ArgosyError,
    Away,
    NotAllowed,
    NotAuthenticated,
    NotConfigured,
    NotFound,
    Unreachable,
)

EXIT_CODES = """\
Exit codes: 0 ok, 1 a job failed or something else went wrong, 2 wrong usage, 3 not found, 4 the API is not to be
reached, 5 refused (the key is missing, unknown, or does not allow it).

Address and key: ARGOSY_URL and ARGOSY_API_KEY, else what `argosy up` wrote to client.json in its folder (ARGOSY_HOME,
else ~/.argosy, for root /var/lib/argosy).
"""


_NO_TEXT = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes of the command line that are not UTF-8; it also comes as an escape in JSON."""


class _Heavy(NamedTuple):
    """A command whose code needs more than the SDK, and is therefore imported only when it is asked for."""

    name: str
    extra: str
    help: str
    group: bool = False


_HEAVY = (
    _Heavy("up", "all", "Start a whole fleet on this machine."),
    _Heavy("demo", "all", "Run a demonstration workflow."),
    _Heavy("db", "server", "Make, migrate and inspect the database.", group=True),
    _Heavy("key", "server", "Make, list, rotate and revoke API keys.", group=True),
    _Heavy("doctor", "server", "Look the fleet over, and say what to do."),
    _Heavy("audit", "server", "What operators did."),
    _Heavy("project", "server", "Shares and caps of projects.", group=True),
    _Heavy("label", "server", "Set the labels and pools of a node."),
)


def build(arguments: list[str]) -> typer.Typer:
    """The command line; of the heavy commands only the one that *arguments* name is really loaded."""
    app = typer.Typer(
        name="argosy",
        help="A fleet of GPU machines that pulls its own work.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    app.add_typer(job.app, name="job")
    app.command()(questions.fit)
    app.add_typer(schedule.app, name="schedule")
    app.add_typer(dead.app, name="dead")
    app.add_typer(node.app, name="node")
    app.add_typer(kind.app, name="kind")
    app.add_typer(fleet.app, name="fleet")
    app.add_typer(blob.app, name="blob")
    app.add_typer(erasure.app, name="erasure")
    app.add_typer(mock.app, name="mock")
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for heavy in _HEAVY:
        # These are written apart; a checkout without one of them lacks the command, no more.
        if find_spec(f"argosy.cli.{heavy.name}") is not None:
            _mount(app, heavy, load=asked == heavy.name or "_ARGOSY_COMPLETE" in os.environ)
    return app


def _mount(app: typer.Typer, heavy: _Heavy, *, load: bool) -> None:
    missing: str | None = None
    if load:
        try:
            found = getattr(importlib.import_module(f"argosy.cli.{heavy.name}"), heavy.name)
        except ModuleNotFoundError as exc:
            if exc.name is None or exc.name.split(".")[0] == "argosy":
                raise
            missing = exc.name
        else:
            if heavy.group:
                app.add_typer(found, name=heavy.name)
            else:
                app.command(heavy.name)(found)
            return

    def stub() -> None:
        raise ArgosyError(
            f"`argosy {heavy.name}` needs {missing}, which is not installed",
            code="extra_missing",
            fix=f"pip install 'argosy[{heavy.extra}]'",
        )

    swallow = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(heavy.name, help=heavy.help, context_settings=swallow, add_help_option=False)(stub)


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # Typer calls it so
    if wanted:
        try:
            typer.echo(version("argosy"))
        except PackageNotFoundError:
            typer.echo("argosy, from a source checkout")
        raise typer.Exit


def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version.",
        ),
    ] = False,
) -> None:
    """A fleet of GPU machines that pulls its own work."""


def exit_code(error: ArgosyError) -> int:
    """The process's answer to an error; the table is in --help."""
    if isinstance(error, NotFound):
        return 3
    if isinstance(error, Unreachable | Away):
        return 4
    if isinstance(error, NotAuthenticated | NotAllowed):
        return 5
    if isinstance(error, NotConfigured):
        return 5 if error.field == "api_key" else 4
    return 1


def main() -> None:
    """The entry point of the `argosy` command."""
    arguments = sys.argv[1:]
    try:
        build(arguments)()
    except ArgosyError as error:
        complain(error, as_json="--json" in arguments)
        sys.exit(exit_code(error))
    except UnicodeEncodeError as error:
        word = next((word for word in arguments if error.object in word), error.object)
        if not _NO_TEXT.search(word):
            raise
        complain(ArgosyError(f"{word!r} is not UTF-8", code="not_utf8"), as_json="--json" in arguments)
        sys.exit(1)
    except BrokenPipeError:
        # `argosy job logs | head`: whoever read has had enough. Nothing must be flushed into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
