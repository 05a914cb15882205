"""Snapshots of how a fixed set of texts lies in space while a model learns, so that its movement can be drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cosmith.atomic import atomic_file, write_json
from cosmith.data.array_files import write_array_to

if TYPE_CHECKING:
    from cosmith.data import Source
    from cosmith.models import Encoder

PROBE = "probe"
_TEXTS, _SNAPSHOTS = 32, 10
_STEPS_BETWEEN = 25  # a snapshot costs about a third of a step


@dataclass(frozen=True)
class ProbeText:
    """A text whose movement is followed.

    Attributes:
        role: What it is in its row.
        text: The text.
        prompt: The name of the prompt under which it is encoded.
        instruction: What takes the place of ``{task}`` in the prompt.
    """

    role: Literal["query", "document"]
    text: str
    prompt: str
    instruction: str = ""


def probe_texts(sources: Sequence[Source]) -> list[ProbeText]:
    """Texts of some rows of each Source, evenly spread: a query and its first positive in turn."""
    found = []
    for source in sources:
        said, rows = source.settings, max(1, _TEXTS // (2 * len(sources)))
        for number in np.unique(np.linspace(0, len(source) - 1, rows).astype(int)).tolist():
            row = source.row(number)
            found.append(ProbeText("query", row.query, said.query_prompt, said.instruction))
            found += [ProbeText("document", text, said.document_prompt, said.instruction) for text in row.positives[:1]]
    return found


def is_snapshot_step(step: int, steps: int) -> bool:
    """Whether a run of so many steps takes a snapshot after ``step``: first and last (a run that ends early takes its
    last one by itself), and at most about ten, 25 steps apart or more."""
    return step in (0, steps) or step % max(-(-steps // _SNAPSHOTS), _STEPS_BETWEEN) == 0


def take_snapshot(folder: Path, encoder: Encoder, texts: Sequence[ProbeText], step: int) -> None:
    """Write ``probe/step-N.npy``, float16 [texts, D], and once ``probe/texts.json``."""
    place = folder / PROBE
    if not (place / "texts.json").is_file():
        write_json(place / "texts.json", [asdict(text) for text in texts])
    vectors = np.empty((len(texts), encoder.dimension), np.float32)
    for read in sorted({(text.prompt, text.instruction) for text in texts}):
        alike = [number for number, text in enumerate(texts) if (text.prompt, text.instruction) == read]
        words = [texts[number].text for number in alike]
        vectors[alike] = encoder.encode(words, prompt=read[0], instruction=read[1])
    with atomic_file(place / f"step-{step:06d}.npy", "wb") as handle:
        write_array_to(handle, vectors.shape, np.float16, [vectors])


def read_snapshots(folder: Path) -> tuple[list[int], NDArray[np.float16]]:
    """The steps of a run's snapshots and their vectors, [snapshots, texts, D]; none: an empty list."""
    files = sorted((folder / PROBE).glob("step-*.npy"))
    steps = [int(file.stem.removeprefix("step-")) for file in files]
    vectors = [np.load(file, allow_pickle=False) for file in files]
    return steps, np.stack(vectors) if vectors else np.empty((0, 0, 0), np.float16)


def read_probe_texts(folder: Path) -> list[dict[str, str]]:
    """The texts of a run's snapshots, each as :class:`ProbeText` has it; none: an empty list."""
    file = folder / PROBE / "texts.json"
    return list(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else []
