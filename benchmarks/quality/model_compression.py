"""What a model loses with fewer layers, with fewer tokens, and as a static model, and what that saves.

python -m benchmarks.quality.model_compression --data ../shared/data
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks import interleaved
from benchmarks.quality.outcomes import options
from benchmarks.quality.subsets import draw_test
from benchmarks.quality.subsets import told as drawn
from cosmith import Collection, Encoder, TrainingSettings
from cosmith.compression import (
    ModelSize,
    PrunedVocabulary,
    drop_layers,
    held_out,
    measure_smaller,
    prune_vocabulary,
    shorten_static,
    static_student,
)
from cosmith.data.sentences import sentence_spans
from cosmith.evaluation.task_files import read_task
from cosmith.evaluation.tasks import RetrievalTask
from cosmith.models import distil_static
from cosmith.training import distil

MODEL = "all-MiniLM-L6-v2"
SHORTEST, LONGEST = 30, 300


def wikipedia_sentences(data: Path, count: int, seed: int = 0) -> list[str]:
    """A random ``count`` of the distinct sentences of 30 to 300 characters of a sample of Wikipedia."""
    lines = (data / "wiki-en-sample" / "text.txt").read_text(encoding="utf-8").splitlines()
    draw = np.random.default_rng(seed)
    found: dict[str, None] = {}
    for number in draw.permutation(len(lines)).tolist():
        spans = sentence_spans(lines[number])
        found |= dict.fromkeys(lines[number][a:b] for a, b in spans if SHORTEST <= b - a <= LONGEST)
        if len(found) > 3 * count:
            break
    sentences = list(found)
    if len(sentences) < count:
        raise SystemExit(f"there are only {len(sentences):,} sentences; ask for fewer")
    return [sentences[number] for number in draw.permutation(len(sentences))[:count]]


def forms_of(given: argparse.Namespace) -> tuple[dict[str, Encoder], Encoder, list[str], PrunedVocabulary]:
    """All smaller forms by name, the model, the texts that were held out, and what became of the vocabulary."""
    texts = wikipedia_sentences(given.data, given.texts)
    learnt, held = held_out(texts)
    teacher = Encoder.load(MODEL, precision="auto")
    work = None if given.output is None else given.output.with_suffix(".run")
    shallow = drop_layers(teacher, given.layers)
    settings = TrainingSettings(epochs=1, learning_rate=given.learning_rate, max_document_length=given.max_length,
                                max_query_length=given.max_length)  # fmt: skip
    taught = distil(shallow, teacher, learnt, settings, folder=work and work / "layers").encoder
    pruned, told = prune_vocabulary(teacher, learnt)
    start = static_student(teacher, learnt)
    settings = TrainingSettings(epochs=given.static_epochs, batch_size=256, learning_rate=3e-3)
    static = distil(start, teacher, learnt, settings, folder=work and work / "static").encoder
    return (
        {
            f"{given.layers} layers, untrained": shallow,
            f"{given.layers} layers, distilled": taught,
            f"{told.after:,} tokens": pruned,
            "static, as model2vec begins (256)": distil_static(teacher, dimension=256),
            "static, weighted by the texts": start,
            "static, distilled": static,
            "static, distilled, cut to 256": shorten_static(static, learnt, 256),
            "static, distilled, cut to 128": shorten_static(static, learnt, 128),
        },
        teacher,
        held,
        told,
    )


def describe(sizes: Sequence[ModelSize]) -> str:
    """The table, with what every form changes on each task."""
    tasks = [f"{change.task}: {change.metric}" for change in sizes[1].tasks]
    columns = ["", "weights", "bytes", "CPU s", "cosine", "1st percentile", "neighbours kept", *tasks]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for each in sizes:
        changes = [f"{change.after:.4f}, {change.difference:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"
                   for change in each.tasks] or [f"{change.before:.4f}" for change in sizes[1].tasks]  # fmt: skip
        numbers = ["" if value is None else f"{value:.4f}"
                   for value in (each.mean, each.first_percentile, each.neighbours)]  # fmt: skip
        cells = [each.name, f"{each.parameters:,}", f"{each.bytes / 1e6:.1f} MB", f"{each.cpu_seconds:.2f}"]
        lines.append("| " + " | ".join([*cells, *numbers, *changes]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data sets")
    parser.add_argument("--texts", type=int, default=10_000, help="sentences to learn on")
    parser.add_argument("--layers", type=int, default=3, help="layers to keep")
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="of the shallow student")
    parser.add_argument("--max-length", type=int, default=64, help="of the shallow student's training")
    parser.add_argument("--static-epochs", type=int, default=4)
    parser.add_argument("--queries", type=int, default=300, help="of scifact")
    parser.add_argument("--documents", type=int, default=1500, help="of scifact")
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    torch.set_num_threads(1)
    forms, teacher, held, told = forms_of(given)
    whole = Collection.read_beir(given.data / "scifact")
    part = draw_test(whole, given.queries, given.documents)
    tasks = [read_task(given.data / "stsb").task, RetrievalTask("scifact", part)]
    sizes = measure_smaller(teacher, forms, held, tasks)
    notes = (
        f"{MODEL} and what is made of it on {given.texts:,} sentences of Wikipedia (30 to 300 characters), of which"
        f" {len(held):,} are held out. Layers: {given.layers} of 6, one epoch in steps of 64 at"
        f" {given.learning_rate:g}. Static: {given.static_epochs} epochs in steps of 256 at 0.003. Tokens: of"
        f" {told.held_out:,} of the sentences {told.differing:,} are cut otherwise with the tokens that the others"
        f" need, into {told.longer - 1:.1%} more tokens. CPU s: processor seconds to encode the held-out sentences"
        " once, in the processor's own precision, one thread. Of the tasks: the value, and the change with its 95 %"
        f" interval, paired; nothing was trained or chosen on them. {drawn(part, whole)}"
    )
    title, module = "Smaller models", "benchmarks.quality.model_compression"
    interleaved.write_up(title, module, options(given), notes, describe(sizes), given.output)


if __name__ == "__main__":
    main()
