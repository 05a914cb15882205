"""Training: Cosmith against sentence-transformers, in-batch negatives, natural-length pairs.

python -m benchmarks.train_throughput --pairs 1280 --rounds 3
python -m benchmarks.train_throughput --pairs 640 --max-length 256
python -m benchmarks.train_throughput --contest cached --pairs 2048 --batch 512
python -m benchmarks.train_throughput --contest cached-peers --pairs 512 --batch 256
python -m benchmarks.train_throughput --contest memory --pairs 8192 --rounds 1
python -m benchmarks.train_throughput --contest curve --pairs 16384 --max-length 64 --rounds 1
python -m benchmarks.train_throughput --contest float32 --model static --pairs 16384 --batch 2048 --learning-rate 0.1
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import interleaved
from benchmarks.pairs import read_pairs, write_pairs

MODEL = "all-MiniLM-L6-v2"
STATIC = "static"  # random vectors for the tokens of the model's tokenizer
STATIC_DIMENSION = 512
TEMPERATURE = 0.05
HELD_OUT = 512
MINI_BATCH = 32  # theirs for the cached form, as their documentation has it

Pairs = Sequence[tuple[str, str]]
Train = Callable[[Pairs, int], None]  # on these pairs, in so many steps
Encode = Callable[[list[str]], np.ndarray]  # texts to unit rows
Score = Callable[[list[str], list[str]], np.ndarray]  # queries and documents to logits [queries, documents]

CONTESTS = {
    "default": (
        "cosmith bf16",
        "cosmith float32",
        "sentence-transformers float32",
        "sentence-transformers bf16",
    ),
    "float32": ("cosmith float32", "sentence-transformers float32"),
    "cached": ("cosmith bf16 cached", "cosmith bf16 direct"),
    "cached-peers": (
        "cosmith bf16 cached",
        "sentence-transformers float32 cached",
        "sentence-transformers bf16 cached",
    ),
    "curve": tuple(f"cosmith bf16 cached batch={batch} once" for batch in (16384, 4096, 1024, 256)),
    "memory": ("cosmith bf16 batch=4096", "sentence-transformers float32 batch=64"),
}
FIGURES = {"pairs per CPU second": True, "pairs per second": True, "peak MB": False, "held-out loss": False}


@dataclass(frozen=True)
class Contestant:
    """A library, its precision, what else its name says, and the work; ``once`` is a single step."""

    library: str
    precision: str
    strategy: str
    batch: int
    once: bool
    passes: int
    max_length: int
    model: str
    learning_rate: float

    @classmethod
    def named(cls, name: str, work: argparse.Namespace) -> Contestant:
        library, precision, *rest = name.split()
        strategy = next((word for word in rest if word in ("cached", "direct")), "auto")
        batch = next((int(word.split("=")[1]) for word in rest if word.startswith("batch=")), work.batch)
        once = "once" in rest
        passes = work.passes
        return cls(library, precision, strategy, batch, once, passes, work.max_length, work.model, work.learning_rate)


Make = Callable[[Contestant], tuple[Train, Score]]


def in_batch_scores(encode: Encode) -> Score:
    """The logits of a model that gives a text one vector."""
    return lambda queries, documents: encode(queries).astype(np.float64) @ encode(documents).T / TEMPERATURE


def trainer_arguments(contestant: Contestant, steps: int, folder: str) -> dict[str, Any]:
    """For every library that trains with transformers' trainer: what ours does, and nothing written or reported."""
    return {
        "output_dir": folder,
        "max_steps": steps,
        "per_device_train_batch_size": contestant.batch,
        "learning_rate": contestant.learning_rate,
        "warmup_steps": round(0.1 * steps),
        "weight_decay": 0.01,
        "bf16": contestant.precision == "bf16",
        "use_cpu": True,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }


def train_cosmith(contestant: Contestant) -> tuple[Train, Score]:
    """Ours: what trains, and what scores with the model that came out."""
    from cosmith.data import Source, TrainingRow
    from cosmith.models import Encoder
    from cosmith.training import TrainingSettings, train

    base = Encoder.load(contestant.model)
    base.spec = replace(base.spec, max_length=contestant.max_length)  # as the other's: held-out pairs are read alike
    state = {"encoder": base}

    def work(pairs: Pairs, steps: int) -> None:
        source = Source.from_rows("pairs", [TrainingRow(query, (document,)) for query, document in pairs])
        settings = TrainingSettings(
            steps=steps,
            batch_size=contestant.batch,
            learning_rate=contestant.learning_rate,
            loss="classic",
            temperature=TEMPERATURE,
            precision=contestant.precision,  # type: ignore[arg-type]
            strategy=contestant.strategy,  # type: ignore[arg-type]
            max_query_length=contestant.max_length,
            max_document_length=contestant.max_length,
        )
        state["encoder"] = train(state["encoder"], [source], settings)

    return work, in_batch_scores(lambda texts: state["encoder"].encode(texts))


def train_sentence_transformers(contestant: Contestant) -> tuple[Train, Score]:
    """Theirs, through their trainer, with the loss, optimiser and schedule of the same names."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
        losses,
    )

    from cosmith.models import find_model

    model = SentenceTransformer(str(find_model(contestant.model)), device="cpu")
    if hasattr(model[0], "auto_model"):  # a static model's tokenizer cuts by itself
        model.max_seq_length = contestant.max_length
    if contestant.strategy == "cached":
        loss: Any = losses.CachedMultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE, mini_batch_size=MINI_BATCH)
    else:
        loss = losses.MultipleNegativesRankingLoss(model, scale=1 / TEMPERATURE)

    def work(pairs: Pairs, steps: int) -> None:
        columns = {"anchor": [query for query, _ in pairs], "positive": [document for _, document in pairs]}
        with tempfile.TemporaryDirectory() as folder:
            arguments = SentenceTransformerTrainingArguments(**trainer_arguments(contestant, steps, folder))
            trainer: Any = SentenceTransformerTrainer(
                model=model, args=arguments, train_dataset=Dataset.from_dict(columns), loss=loss
            )
            trainer.train()

    return work, in_batch_scores(lambda texts: np.asarray(model.encode(texts, show_progress_bar=False)))


def held_out_loss(score: Score, pairs: Pairs) -> float:
    """The in-batch loss of both libraries' models by one formula, on pairs that neither was trained on."""
    losses = []
    for start in range(0, len(pairs), 64):
        batch = pairs[start : start + 64]
        scores = score([query for query, _ in batch], [document for _, document in batch])
        losses.append(np.log(np.exp(scores).sum(1)) - np.diag(scores))
    return float(np.concatenate(losses).mean())


def measure(make: Make, contestant: Contestant, pairs: Pairs) -> dict[str, float]:
    """Train once over the pairs after a warm-up of two steps at batch 8, and tell what it took."""
    held_out, training = pairs[:HELD_OUT], pairs[HELD_OUT:]
    warm_up, _ = make(replace(contestant, strategy="direct", batch=8))
    warm_up(training[:64], 2)
    work, score = make(contestant)
    steps = 1 if contestant.once else contestant.passes * (len(training) // contestant.batch)
    wall, cpu = time.perf_counter(), time.process_time()
    work(training, steps)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = interleaved.peak_megabytes()
    done = steps * contestant.batch
    return {
        "pairs per CPU second": done / cpu,
        "pairs per second": done / wall,
        "peak MB": peak,
        "held-out loss": held_out_loss(score, held_out),
    }


def write_static(folder: Path, max_length: int) -> str:
    """Save a static model with random vectors for both libraries to load."""
    from cosmith.models import Encoder, initialise_static

    tokenizer = Encoder.load(MODEL).tokenizer.tokenizer
    initialise_static(tokenizer, dimension=STATIC_DIMENSION, max_length=max_length).save(folder)
    return str(folder)


def described(model: str) -> str:
    """The model in words."""
    if model != STATIC:
        return model
    return f"static embeddings with {STATIC_DIMENSION} random numbers for each token of {MODEL}'s tokenizer"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contest", choices=CONTESTS, default="default")
    parser.add_argument("--pairs", type=int, default=1280, help="pairs to train on")
    parser.add_argument("--passes", type=int, default=1, help="over the pairs")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--max-length", type=int, default=128, help="tokens at which texts are cut")
    parser.add_argument("--model", default=MODEL, help=f"{MODEL}, a folder, or {STATIC!r}")
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        contestant = Contestant.named(given.worker, given)
        make = train_cosmith if contestant.library == "cosmith" else train_sentence_transformers
        print(json.dumps(measure(make, contestant, read_pairs(given.file))))
        return
    contest = interleaved.Contest("benchmarks.train_throughput", CONTESTS[given.contest], FIGURES)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.jsonl"
        write_pairs(file, given.pairs + HELD_OUT)
        model = given.model if given.model != STATIC else write_static(Path(folder) / STATIC, given.max_length)
        work = f"--passes {given.passes} --batch {given.batch} --max-length {given.max_length}"
        work += f" --learning-rate {given.learning_rate:g}"
        results = interleaved.run(
            contest,
            ["--file", str(file), "--model", model, *work.split()],
            given.rounds,
            given.threads,
        )
    arguments = [
        f"--contest {given.contest} --model {given.model} --pairs {given.pairs}",
        work,
        f"--rounds {given.rounds} --threads {given.threads}",
    ]
    notes = (
        f"{given.pairs:,} pairs (docstring sentence → function body, at most {given.max_length} tokens a text), "
        f"{described(given.model)}, in-batch negatives (temperature {TEMPERATURE}), batch {given.batch} unless named, "
        f"{given.passes} pass(es), dropout as in the model's config, {given.threads} thread(s). "
        "Tokenising counts for both. Held-out "
        f"loss: the same formula on {HELD_OUT} other pairs for every model that came out; the model before training "
        "is the same."
    )
    body = interleaved.table(contest, results)
    interleaved.write_up("Training throughput", contest.module, arguments, notes, body, given.output)


if __name__ == "__main__":
    main()
