"""`cosmith compress`: what a model and its vectors may be made smaller by, and what that costs. Each command has a file
of its own."""

import typer

from cosmith.cli.compress import layers, plan, static, vectors, vocabulary

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make models and vectors smaller and faster, and know with error bars what it costs.\n\n"
    'Example: cosmith compress vectors all-MiniLM-L6-v2 --task my-test-set --forms "int8; binary, rescored x4 by int8"',
)
app.command("vectors")(vectors.vectors)
app.command("plan")(plan.plan)
app.command("layers")(layers.layers)
app.command("vocabulary")(vocabulary.vocabulary)
app.command("static")(static.static)
