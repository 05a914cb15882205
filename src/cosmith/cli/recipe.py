"""`cosmith recipe`: look at recipes and at what may stand in them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cosmith.cli.manner import manner_of
from cosmith.cli.run import print_recipes

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show recipes and what may stand in them.\n\nExample: cosmith recipe show pairs > mine.yaml",
)


@app.command("show")
def show(
    recipe: Annotated[str, typer.Argument(help="A built-in recipe's name, or a recipe file.")],
) -> None:
    """Check a recipe and print it as it is written.

    Example: cosmith recipe show pairs > mine.yaml
    """
    from cosmith.recipes import load_recipe

    print(load_recipe(recipe).document.text, end="")


@app.command("list")
def list_recipes(context: typer.Context) -> None:
    """Show the built-in recipes.

    Example: cosmith recipe list
    """
    print_recipes(manner_of(context))


@app.command("schema")
def schema() -> None:
    """Print the JSON schema of recipes, for editors that check YAML while one types.

    Example: cosmith recipe schema > recipe.schema.json
    """
    from cosmith.recipes.schema import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
