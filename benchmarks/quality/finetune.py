"""A fine-tune on real questions and answers: base model, Cosmith and sentence-transformers, same rows, same steps.

python -m benchmarks.quality.finetune --data ../shared/data/medquad --seeds 3
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, difference, options, over_seeds, runs_of, values_of
from benchmarks.quality.subsets import draw_rows
from cosmith import Collection, Encoder, Source, TrainingRow, evaluate_retrieval, train
from cosmith.losses import preset
from cosmith.mining import mine_hard_negatives
from cosmith.models import find_model
from cosmith.training import TrainingSettings

MODEL = "all-MiniLM-L6-v2"
MEASURE = "ndcg@10"
BASE = "base model"
PEER = "sentence-transformers"


@dataclass(frozen=True)
class Protocol:
    """What all contestants have in common."""

    pairs: int
    batch: int
    learning_rate: float
    max_length: int

    @property
    def steps(self) -> int:
        """One pass."""
        return self.pairs // self.batch


def settings_of(protocol: Protocol, seed: int) -> TrainingSettings:
    """Cosmith's defaults but for what the protocol says."""
    return TrainingSettings(
        steps=protocol.steps,
        batch_size=protocol.batch,
        learning_rate=protocol.learning_rate,
        max_query_length=protocol.max_length,
        max_document_length=protocol.max_length,
        seed=seed,
    )


def cosmith(rows: Sequence[TrainingRow], protocol: Protocol, seed: int) -> Encoder:
    """In-batch negatives only."""
    return train(Encoder.load(MODEL), [Source.from_rows("pairs", rows)], settings_of(protocol, seed))


def cosmith_mined(rows: Sequence[TrainingRow], protocol: Protocol, seed: int) -> Encoder:
    """A hard negative a row besides, mined with the base model among the answers of the training rows."""
    base = Encoder.load(MODEL, precision="auto")
    source = mine_hard_negatives(base, Source.from_rows("pairs", rows), negatives_per_row=1).source
    return train(Encoder.load(MODEL), [source], settings_of(protocol, seed))


def sentence_transformers(rows: Sequence[TrainingRow], protocol: Protocol, seed: int) -> Encoder:
    """Their trainer with MultipleNegativesRankingLoss, in bf16 as ours."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
        losses,
    )

    model = SentenceTransformer(str(find_model(MODEL)), device="cpu")
    model.max_seq_length = protocol.max_length
    columns = {"anchor": [row.query for row in rows], "positive": [row.positives[0] for row in rows]}
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder,
            max_steps=protocol.steps,
            per_device_train_batch_size=protocol.batch,
            learning_rate=protocol.learning_rate,
            warmup_steps=round(0.1 * protocol.steps),
            weight_decay=0.01,
            seed=seed,
            bf16=True,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer: Any = SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            loss=losses.MultipleNegativesRankingLoss(model),
        )
        trainer.train()
        model.max_seq_length = SentenceTransformer(str(find_model(MODEL)), device="cpu").max_seq_length
        model.save(f"{folder}/tuned")
        return Encoder.load(f"{folder}/tuned")


CONTESTANTS = {
    "cosmith": cosmith,
    "cosmith, mined negatives": cosmith_mined,
    PEER: sentence_transformers,
}


def describe(rows: Mapping[str, Values]) -> str:
    """The result as Markdown. Intervals are over queries, of the mean over seeds."""
    lines = [
        f"| | {MEASURE}, mean (lowest to highest seed) | over the base model | over {PEER} |",
        "|---|---|---|---|",
        f"| {BASE} | {np.mean(rows[BASE][MEASURE]):.4f} | | |",
    ]
    peer = over_seeds(rows, PEER, MEASURE)
    for name in CONTESTANTS:
        seeds = [float(np.mean(values[MEASURE])) for values in runs_of(rows, name)]
        ours = over_seeds(rows, name, MEASURE)
        cells = [
            f"{np.mean(seeds):.4f} ({min(seeds):.4f} to {max(seeds):.4f})",
            difference(ours, rows[BASE][MEASURE]),
            "" if name == PEER else difference(ours, peer),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder with qrels of a train and a test split")
    parser.add_argument("--pairs", type=int, default=3200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-length", type=int, default=128, help="in training; evaluation takes the model's own")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    protocol = Protocol(given.pairs, given.batch, given.learning_rate, given.max_length)
    train_set, test_set = (Collection.read_beir(given.data, split) for split in ("train", "test"))
    outcomes = Outcomes.open(given.output, given)

    def measured(make: Callable[[], Encoder]) -> Values:
        encoder = make()
        encoder.precision = "auto"
        return values_of(evaluate_retrieval(encoder, test_set, ks=(10,), resamples=0))

    outcomes.take(BASE, partial(measured, partial(Encoder.load, MODEL)))
    for seed in range(given.seeds):
        rows = draw_rows(train_set, protocol.pairs, seed)
        for name, make in CONTESTANTS.items():
            outcomes.take(f"{name}, seed {seed}", partial(measured, partial(make, rows, protocol, seed)))
        write(given, protocol, test_set, outcomes.rows)


def write(given: argparse.Namespace, protocol: Protocol, test_set: Collection, rows: Mapping[str, Values]) -> None:
    """Write what is known so far: all of it takes an hour on a small machine."""
    notes = (
        f"{test_set.name}: {len(test_set.queries):,} test questions over all {len(test_set.documents):,} answers; "
        f"{MODEL} trained on {protocol.pairs:,} random training questions, {protocol.steps} steps of {protocol.batch}, "
        f"learning rate {protocol.learning_rate:g}, texts cut at {protocol.max_length} tokens in training and at the "
        "model's 256 in evaluation, bf16. Both libraries at their defaults otherwise: Cosmith's loss has temperature "
        f"{preset('default').temperature:g} (chosen in [another trial](temperature.md) on part of these questions) and "
        "masks likely false negatives, sentence-transformers' MultipleNegativesRankingLoss has scale 20. "
        "Intervals: 95 %, bootstrap over queries, of the mean over seeds."
    )
    title, module = f"Fine-tuning on {test_set.name}", "benchmarks.quality.finetune"
    interleaved.write_up(title, module, options(given), notes, describe(rows), given.output)


if __name__ == "__main__":
    main()
