"""The door: global options, errors as one line, exit codes. Each command group has a file of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated

import typer
from typer.core import TyperGroup

from cosmith import __version__
from cosmith.cli import (
    choose,
    compare,
    compress,
    data,
    doctor,
    encode,
    evaluate,
    export,
    merge,
    recipe,
    run,
    runtimes,
    search,
    train,
)
from cosmith.cli.manner import Manner
from cosmith.errors import CosmithError, told_as_extra
from cosmith.progress import set_style

GLOBAL_FLAGS = ("--quiet", "--json")


class Door(TyperGroup):
    """Turns what a command raises into a line on stderr and an exit code."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except CosmithError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            print("Stopped; nothing was half-written. The same command starts it again.", file=sys.stderr)
            raise typer.Exit(130) from error
        except BrokenPipeError:
            raise  # the reader of our output has gone; typer ends quietly
        except ModuleNotFoundError as error:
            told = told_as_extra(error, "this command" if ctx.invoked_subcommand is None else ctx.invoked_subcommand)
            if told is None:
                raise
            print(f"error: {told}", file=sys.stderr)
            raise typer.Exit(1) from error
        except OSError as error:
            print(f"error: {_of_the_system(error)}", file=sys.stderr)
            raise typer.Exit(1) from error


def _of_the_system(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}. Nothing was half-written; mend it and run the same command again."


app = typer.Typer(
    cls=Door,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"cosmith {__version__}")
        raise typer.Exit


@app.callback()
def door(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress; print results and warnings only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print results as JSON, progress as JSON lines.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Fine-tune an embedding model on your own text, and know with error bars how much better your search got.

    Example: cosmith run python-docs --size small
    """
    quiet = quiet or os.environ.get("RANK", "0") != "0"  # of several processes the first one speaks
    context.obj = Manner(quiet, json)
    set_style("silent" if quiet else "json" if json else "auto")
    _silence_libraries()


def _silence_libraries() -> None:
    """Keep other libraries' progress bars and advice out of ours; what the user has set stands."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")


app.command("run")(run.run)
app.command("train")(train.train)
app.command("merge")(merge.merge)
app.command("doctor")(doctor.doctor)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("choose")(choose.choose)
app.command("encode")(encode.encode)
app.command("export")(export.export)
app.command("runtime")(runtimes.runtime)
app.command("index")(search.index)
app.command("search")(search.search)
app.add_typer(data.app, name="data")
app.add_typer(compress.app, name="compress")
app.add_typer(recipe.app, name="recipe")


def main(arguments: Sequence[str] | None = None) -> None:
    """The console entry; exits with 0, 1 (an error), 2 (wrong usage), 130 (Ctrl-C) or 143 (SIGTERM)."""
    signal.signal(signal.SIGTERM, _leave)
    app(flags_first(sys.argv[1:] if arguments is None else arguments))


def _leave(number: int, frame: FrameType | None) -> None:
    """End as after an error, so that nothing half-written is left behind; training has a way of its own."""
    raise SystemExit(128 + number)


def flags_first(arguments: Sequence[str]) -> list[str]:
    """Move the global flags to the front, so that they may stand anywhere before a ``--``."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    head, tail = arguments[:end], arguments[end:]
    flags = [word for word in head if word in GLOBAL_FLAGS]
    return [*flags, *(word for word in head if word not in GLOBAL_FLAGS), *tail]
