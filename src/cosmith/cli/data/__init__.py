"""`cosmith data`: what a team's data is like, and what can be made of it. Each command has a file of its own; they
are listed in the order in which data takes them."""

import typer

from cosmith.cli.data import chunk, inspect, mine, overlap, pairs, synthesise, templates
from cosmith.cli.data.filter import filter_data

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look at data, and make training rows of what there is.\n\nExample: cosmith data inspect pairs.jsonl",
)
app.command("inspect")(inspect.inspect)
app.command("chunk")(chunk.chunk)
app.command("pairs")(pairs.pairs)
app.command("synthesise")(synthesise.synthesise)
app.command("templates")(templates.templates)
app.command("filter")(filter_data)
app.command("overlap")(overlap.overlap)
app.command("mine")(mine.mine)
