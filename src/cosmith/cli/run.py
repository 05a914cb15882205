"""`cosmith run`: a recipe from its first stage to its report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cosmith.cli.manner import Manner, manner_of
from cosmith.errors import CosmithError
from cosmith.phrases import counted

if TYPE_CHECKING:
    from cosmith.recipes import LoadedRecipe, StageEvent


def run(
    context: typer.Context,
    recipe: Annotated[str | None, typer.Argument(help="A built-in recipe's name, or a recipe file.")] = None,
    size: Annotated[str | None, typer.Option("--size", help="One of the recipe's sizes, e.g. small.")] = None,
    base: Annotated[str | None, typer.Option("--base", help="Another model: a folder or a Hugging Face id.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. train.steps=50.")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--folder", help="The run's folder. Default: runs/NAME.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="Show the built-in recipes.")] = False,
) -> None:
    """Run a recipe. Stages that are finished are skipped; a training that was interrupted goes on.

    Example: cosmith run pairs --set data.path=pairs.jsonl --set train.epochs=2
    """
    from cosmith.recipes import load_recipe, parse_override

    manner = manner_of(context)
    if listing:
        print_recipes(manner)
        return
    if recipe is None:
        raise typer.BadParameter("name a recipe, or see them with `cosmith run --list`", param_hint="RECIPE")
    overrides: dict[str, Any] = dict(parse_override(change) for change in changes or [])
    if base is not None:
        overrides["base"] = base
    loaded = load_recipe(recipe, size=size, overrides=overrides)
    run_loaded(loaded, folder or Path("runs") / loaded.recipe.name, manner, again=same_command())


def run_loaded(loaded: LoadedRecipe, folder: Path, manner: Manner, *, again: str) -> None:
    """Run a recipe and tell what happens; ``again`` is the command that goes on after an interrupt."""
    from cosmith.recipes import run_recipe

    teller = Teller(manner, f"{loaded.recipe.name}: {counted(len(loaded.recipe.stages), 'stage')} in {folder}")
    try:
        run_recipe(loaded, folder, listen=teller)
    except KeyboardInterrupt as error:
        how = "Finished stages stand. Go on with" if teller.standing else "Start again with"
        print(f"\nStopped{teller.where}. {how}: {again}", file=sys.stderr)
        raise typer.Exit(130) from error
    except CosmithError:
        if teller.where:
            standing = "; finished stages stand, and are skipped the next time" if teller.standing else ""
            print(f"stopped{teller.where}{standing}", file=sys.stderr)
        raise


class Teller:
    """Tells of stages as they begin and end.

    Attributes:
        where: The stage that runs, as part of a sentence; empty between stages.
        standing: How many stages have ended, or were skipped since they stand.
    """

    def __init__(self, manner: Manner, opening: str) -> None:
        self.manner, self.opening = manner, opening
        self.where, self.standing = "", 0

    def __call__(self, event: StageEvent) -> None:
        from cosmith.cli.summaries import summary
        from cosmith.progress import clock
        from cosmith.recipes.run_folder import without_queries

        if self.opening:
            self.manner.note(self.opening)
            self.opening = ""
        head = f"[{event.number}/{event.count}] {event.stage}"
        if event.what == "begin":
            self.where = f" in the stage {event.stage!r}"
            going_on = ", going on from its last checkpoint" if event.resumed else ""
            self.manner.note(f"\n{head}: {event.kind} ({event.reason}{going_on})")
            return
        self.where = ""
        self.standing += 1
        value: dict[str, Any] = {
            "event": event.what,
            "stage": event.stage,
            "kind": event.kind,
            "seconds": event.seconds,
        }
        if event.what == "skip":
            self.manner.note(f"\n{head}: stands, skipped")
        lines = summary(event.kind, event.result or {}, event.folder)
        if event.what == "end":
            lines.append(f"({clock(event.seconds)})")
        value["result"] = without_queries(event.result or {})
        self.manner.result("\n".join(f"  {line}" for line in lines), value)


def print_recipes(manner: Manner) -> None:
    """List the built-in recipes."""
    from cosmith.recipes import built_in_recipes

    documents = built_in_recipes()
    entries, lines = [], []
    for name, document in documents.items():
        description, sizes = str(document.value.get("description", "")), list(document.value.get("sizes", {}))
        entries.append({"name": name, "description": description, "sizes": sizes})
        lines.append(f"{name}: {description}" + (f" Sizes: {', '.join(sizes)}." if sizes else ""))
    manner.result("\n".join(lines), {"recipes": entries})


def same_command() -> str:
    """The command line that was given, ready to be given again."""
    return shlex.join(["cosmith", *sys.argv[1:]])
