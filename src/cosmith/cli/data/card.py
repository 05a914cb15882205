"""The data card beside the rows that a command has written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmith.cli.manner import Manner
from cosmith.cli.texts import beside

if TYPE_CHECKING:
    import typer

    from cosmith.data import Source

_SAMPLES = 5
_CACHES = ("cache",)
_OF_THE_RUN = ("engine", "address", "workers", "concurrency", "timeout", "retries", "dry_run")
"""Options that do not change what is made: told where they were said."""


def write_card(
    context: typer.Context,
    source: Source,
    output: Path,
    manner: Manner,
    *,
    inputs: Iterable[Path | None],
    counts: Mapping[str, Any],
    dropped: Mapping[str, int] | None = None,
    steps: Sequence[str] = (),
    told: Sequence[str] = (),
    samples: Iterable[Mapping[str, str]] = (),
    taken: Mapping[str, Any] | None = None,
) -> None:
    """Write what is to be known of the rows to ``OUTPUT.data.md``.

    Args:
        context: The command's: its name, what it does, and its options.
        source: The rows that were written.
        output: The file that they were written to.
        manner: Says where the card is.
        inputs: The files and folders that were read.
        counts: What the command found; of it the numbers are shown.
        dropped: Reason → how many were left out for it.
        steps: What each filter did.
        told: What else was found.
        samples: Some rows.
        taken: What was taken where an option left the choice open, by the option's name.
    """
    from cosmith import __version__
    from cosmith.atomic import atomic_file
    from cosmith.data.cards import Contents, DataCard
    from cosmith.recipes.fingerprints import content_fingerprint

    made = (context.command.help or "").strip().partition("\n\n")[0]
    when = datetime.now(UTC).isoformat(timespec="seconds")
    card = DataCard(
        title=output.name,
        how_made=f"{' '.join(made.split())} Made by `{context.command_path}`. Finished {when}, Cosmith {__version__}.",
        settings=_settings(context, taken or {}),
        where_from=[f"{path} ({content_fingerprint(path)})" for path in inputs if path is not None],
        contents=[Contents.of(source, output.name)],
        counts={name.replace("_", " "): number for name, number in counts.items() if _is_number(number)},
        dropped=dropped or {},
        steps=steps,
        told=told,
        samples=list(samples)[:_SAMPLES] or _samples(source),
    )
    path = beside(output, ".data.md")
    with atomic_file(path) as handle:
        handle.write(card.markdown(unchecked=f"cosmith data overlap {output} TEST looks for test queries among them."))
    manner.note(f"data card: {path}")


def _settings(context: typer.Context, taken: Mapping[str, Any]) -> dict[str, Any]:
    """The options, by name, those that were not said with their defaults; paths and lists as text."""

    def matters(name: str, value: Any) -> bool:
        if value is None or value in ("", [], ()) or name in _CACHES:
            return False
        source = context.get_parameter_source(name)
        return name not in _OF_THE_RUN or (source is not None and source.name == "COMMANDLINE")

    settings = {name: value for name, value in {**context.params, **taken}.items() if matters(name, value)}
    return {
        name: value if _is_number(value) or isinstance(value, bool) else _text(value)
        for name, value in settings.items()
    }


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _samples(source: Source) -> list[dict[str, str]]:
    from cosmith.recipes.stages.data import examples_of

    return examples_of(source)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
