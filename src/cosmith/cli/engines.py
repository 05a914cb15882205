"""The options of commands whose work an engine of several machines can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cosmith.cli.options import options_of, told_by_option

if TYPE_CHECKING:
    from cosmith.bulk import Engine

EngineOption = Annotated[str, typer.Option("--engine", help="local, or ray: the workers of a Ray cluster.")]
AddressOption = Annotated[
    str | None, typer.Option("--address", help="Of a Ray cluster that runs; default: one on this machine.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Workers of the Ray cluster; default: as many as it has room for."),
]


def engine_of(kind: str, address: str | None, workers: int | None) -> Engine:
    """The engine that the options name.

    Raises:
        InputError: When there is no such engine, or an option is for another one.
    """
    from cosmith.bulk import Engine

    with told_by_option(options_of("engine", "address", "workers")):
        return Engine(kind, address, workers)  # type: ignore[arg-type]
