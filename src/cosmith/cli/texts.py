"""What the commands that take texts share: reading them, and saying which were put aside or cut."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cosmith.cli.manner import Manner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmith.data import TextsRead
    from cosmith.models import Encoder

_AT_ONCE = 100_000


def texts_of(path: Path, column: str, manner: Manner, *, rejected: Path) -> TextsRead:
    """The texts of a file, or of the corpus of a BEIR folder; says how many records could not be used."""
    from cosmith.data import read_texts

    read = read_texts(path / "corpus.jsonl" if path.is_dir() else path, column=column, rejected=rejected)
    if read.rejected:
        manner.note(f"{len(read.rejected):,} rows could not be used; they are in {rejected} with the reason for each")
    return read


def report_cut(encoder: Encoder, texts: Sequence[str], prompt: str | None, manner: Manner) -> int:
    """Count, and say, how many texts are longer than the model reads."""
    cut = 0
    for start in range(0, len(texts), _AT_ONCE):
        cut += int(encoder.tokenize(texts[start : start + _AT_ONCE], prompt=prompt).truncated.sum())
    if cut:
        manner.note(
            f"{cut:,} of {len(texts):,} texts are longer than the {encoder.max_length} tokens that {encoder.name}"
            " reads; their ends were cut off"
        )
    return cut


def beside(output: Path, ending: str) -> Path:
    """The place beside an output whose name is the output's and ``ending``.

    Raises:
        InputError: When the output is a place without a name, e.g. the folder ``.``.
    """
    from cosmith.atomic import require_name

    require_name(output)
    return output.with_name(output.name + ending)


def model_reference(model: str) -> str:
    """What to write down of a model so that it is found again from elsewhere: a folder's full path, or its name."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model
