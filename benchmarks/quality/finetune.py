"""A fine-tune on real questions and answers: base model, Cosmith and sentence-transformers, same rows, same steps.

python -m benchmarks.quality.finetune --data ../shared/data/medquad --seeds 3

What stands in the JSON file beside the table (``--output``) is not measured again; ``--contestants`` chooses those that
are measured now.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import interleaved
from benchmarks.quality.outcomes import Outcomes, Values, difference, options, values_of
from benchmarks.quality.subsets import draw_rows
from cosmith import Collection, Encoder, Source, TrainingRow, evaluate_retrieval, train
from cosmith.losses import preset
from cosmith.mining import mine_hard_negatives
from cosmith.models import find_model
from cosmith.recipes import load_recipe, run_recipe
from cosmith.training import TrainingSettings

MODEL = "all-MiniLM-L6-v2"
MEASURE = "ndcg@10"
BASE = "base model"
PEER = "sentence-transformers"
PEER_MINED = f"{PEER}, mined negatives"
RECIPE = "domain-finetune"


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


def mined(rows: Sequence[TrainingRow]) -> Source:
    """The rows with a hard negative each, mined with the base model among the answers of the training rows."""
    base = Encoder.load(MODEL, precision="auto")
    return mine_hard_negatives(base, Source.from_rows("pairs", rows), negatives_per_row=1).source


def cosmith_mined(rows: Sequence[TrainingRow], protocol: Protocol, seed: int) -> Encoder:
    """A mined negative a row besides."""
    return train(Encoder.load(MODEL), [mined(rows)], settings_of(protocol, seed))


def domain_finetune(rows: Sequence[TrainingRow], protocol: Protocol, seed: int) -> Encoder:
    """The built-in recipe from the file of pairs to the model: it keeps some of the pairs to choose by and to test.

    Overridden are the file, the seed and what the protocol says; all else, three mined negatives, nested dimensions,
    early stopping and interpolation among it, is the recipe's.
    """
    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder, "pairs.jsonl")
        lines = (json.dumps({"query": row.query, "positive": row.positives[0]}) + "\n" for row in rows)
        pairs.write_text("".join(lines), encoding="utf-8")
        overrides = {
            "seed": seed,
            "data.path": str(pairs),
            "train.epochs": None,
            "train.steps": protocol.steps,
            "train.batch_size": protocol.batch,
            "train.learning_rate": protocol.learning_rate,
            "train.max_query_length": protocol.max_length,
            "train.max_document_length": protocol.max_length,
        }
        run_recipe(load_recipe(RECIPE, overrides=overrides), Path(folder, "run"))
        return Encoder.load(Path(folder, "run", "train", "model"))


def sentence_transformers(rows: Sequence[TrainingRow], protocol: Protocol, seed: int) -> Encoder:
    """In-batch negatives only."""
    columns = {"anchor": [row.query for row in rows], "positive": [row.positives[0] for row in rows]}
    return trained_by_peer(columns, protocol, seed)


def sentence_transformers_mined(rows: Sequence[TrainingRow], protocol: Protocol, seed: int) -> Encoder:
    """The same mined negatives as ours; their columns are full, so a row for which none was found has one at random."""
    triplets = list(mined(rows).rows())
    others = np.random.default_rng(seed).permutation(len(triplets))
    columns = {
        "anchor": [row.query for row in triplets],
        "positive": [row.positives[0] for row in triplets],
        "negative": [
            (row.negatives or triplets[other].positives)[0] for row, other in zip(triplets, others, strict=True)
        ],
    }
    return trained_by_peer(columns, protocol, seed)


def trained_by_peer(columns: Mapping[str, Sequence[str]], protocol: Protocol, seed: int) -> Encoder:
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
            train_dataset=Dataset.from_dict(dict(columns)),
            loss=losses.MultipleNegativesRankingLoss(model),
        )
        trainer.train()
        model.max_seq_length = SentenceTransformer(str(find_model(MODEL)), device="cpu").max_seq_length
        model.save(f"{folder}/tuned")
        return Encoder.load(f"{folder}/tuned")


CONTESTANTS = {
    "cosmith": cosmith,
    "cosmith, mined negatives": cosmith_mined,
    f"recipe {RECIPE}": domain_finetune,
    PEER: sentence_transformers,
    PEER_MINED: sentence_transformers_mined,
}


def of_seeds(outcomes: Outcomes, name: str) -> dict[int, list[float]]:
    """Seed → what each query has under one contestant."""
    start = f"{name}, seed "
    return {
        int(run.removeprefix(start)): list(values[MEASURE])
        for run, values in outcomes.rows.items()
        if run.startswith(start)
    }


def describe(outcomes: Outcomes) -> str:
    """The result as Markdown. Intervals are over queries, of the mean over the seeds that both have."""
    base = outcomes.rows[BASE][MEASURE]
    peers = {peer: of_seeds(outcomes, peer) for peer in (PEER, PEER_MINED)}
    lines = [
        f"| | {MEASURE}, mean (lowest to highest seed) | seeds | over the base model | "
        + " | ".join(f"over {peer}" for peer in peers)
        + " | measured |",
        "|---" * (5 + len(peers)) + "|",
        f"| {BASE} | {np.mean(base):.4f} | | | {'| ' * len(peers)}{outcomes.days.get(BASE, '')} |",
    ]
    for name in CONTESTANTS:
        ours = of_seeds(outcomes, name)
        if not ours:
            continue
        seeds = [float(np.mean(values)) for values in ours.values()]
        days = {outcomes.days.get(f"{name}, seed {seed}", "") for seed in ours}
        cells = [
            f"{np.mean(seeds):.4f} ({min(seeds):.4f} to {max(seeds):.4f})",
            str(len(seeds)),
            difference(np.mean(list(ours.values()), axis=0).tolist(), base),
            *("" if name == peer else over(ours, theirs) for peer, theirs in peers.items()),
            ", ".join(sorted(days)),
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def over(ours: Mapping[int, Sequence[float]], theirs: Mapping[int, Sequence[float]]) -> str:
    """What one contestant has over another, of the mean over the seeds that both have; empty: none."""
    both = sorted(ours.keys() & theirs.keys())
    if not both:
        return ""
    first, second = (np.mean([one[seed] for seed in both], axis=0).tolist() for one in (ours, theirs))
    return difference(first, second)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a BEIR folder with qrels of a train and a test split")
    parser.add_argument("--pairs", type=int, default=3200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-length", type=int, default=128, help="in training; evaluation takes the model's own")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--contestants", nargs="+", choices=list(CONTESTANTS), metavar="NAME",
        help="those to measure now, by default all: " + "; ".join(CONTESTANTS),
    )  # fmt: skip
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
        for name in given.contestants or CONTESTANTS:
            outcomes.take(f"{name}, seed {seed}", partial(measured, partial(CONTESTANTS[name], rows, protocol, seed)))
            write(given, protocol, test_set, outcomes)


def write(given: argparse.Namespace, protocol: Protocol, test_set: Collection, outcomes: Outcomes) -> None:
    """Write what is known so far: all of it takes hours on a small machine."""
    notes = (
        f"{test_set.name}: {len(test_set.queries):,} test questions over all {len(test_set.documents):,} answers; "
        f"{MODEL} trained on {protocol.pairs:,} random training questions, {protocol.steps} steps of {protocol.batch}, "
        f"learning rate {protocol.learning_rate:g}, texts cut at {protocol.max_length} tokens in training and at the "
        "model's 256 in evaluation, bf16. Both libraries at their defaults otherwise: Cosmith's loss has temperature "
        f"{preset('default').temperature:g} (chosen in [another trial](temperature.md) on part of these questions) and "
        "masks likely false negatives, sentence-transformers' MultipleNegativesRankingLoss has scale 20. "
        "Mined negatives: one a row, the same for both libraries (sentence-transformers asks for one a row: where "
        f"none was found it has a random one). The recipe {RECIPE} gets the same pairs in a file, of which it keeps a "
        "tenth to choose by and a tenth as a test set of its own; it mines three negatives a row and trains nested "
        "dimensions. All are tested at full width. "
        "Intervals: 95 %, bootstrap over queries, of the mean over seeds."
    )
    title, module = f"Fine-tuning on {test_set.name}", "benchmarks.quality.finetune"
    interleaved.write_up(title, module, options(given), notes, describe(outcomes), given.output)


if __name__ == "__main__":
    main()
