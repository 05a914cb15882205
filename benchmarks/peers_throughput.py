"""Training: Cosmith against FlagEmbedding, and late interaction against PyLate.

The peers need other versions than Cosmith, so each has an environment of its own, with torch's build for processors;
its Python is given as ``--peer-python``. FlagEmbedding installs as it is:

python -m venv flag-embedding && flag-embedding/bin/pip install torch==2.13.0 FlagEmbedding==1.4.2

PyLate's index, fast-plaid, has a release for each of some torch versions, and none for this one. Training does not
import it, so everything else is installed by name:

python -m venv pylate && pylate/bin/pip install torch==2.13.0 sentence-transformers==5.3.0 transformers==5.3.0 \\
    accelerate datasets ujson ninja fastkmeans && pylate/bin/pip install --no-deps pylate==1.6.0

Then, from the root of the repository:

python -m benchmarks.peers_throughput --contest flag-embedding --peer-python flag-embedding/bin/python
python -m benchmarks.peers_throughput --contest late-interaction --peer-python pylate/bin/python --precisions bf16
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import interleaved
from benchmarks.pairs import read_pairs, write_pairs
from benchmarks.train_throughput import (
    FIGURES,
    HELD_OUT,
    MODEL,
    TEMPERATURE,
    Contestant,
    Make,
    Pairs,
    Score,
    Train,
    in_batch_scores,
    measure,
    train_cosmith,
    trainer_arguments,
)

QUERY_LENGTH = 32  # ColBERT's, and the default of both libraries
DIMENSION = 128
PRECISIONS = ("bf16", "float32")


def train_flag_embedding(contestant: Contestant) -> tuple[Train, Score]:
    """FlagEmbedding's finetuner of encoders: the parts that its runner puts together, without loading and saving."""
    import torch
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderCollator, AbsEmbedderTrainDataset
    from FlagEmbedding.finetune.embedder.encoder_only.base import (
        BiEncoderOnlyEmbedderModel,
        EncoderOnlyEmbedderDataArguments,
        EncoderOnlyEmbedderTrainer,
        EncoderOnlyEmbedderTrainingArguments,
    )
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(contestant.model)
    model = BiEncoderOnlyEmbedderModel(
        AutoModel.from_pretrained(contestant.model),
        tokenizer=tokenizer,
        temperature=TEMPERATURE,
        sentence_pooling_method="mean",
        normalize_embeddings=True,
    )
    collate = AbsEmbedderCollator(
        tokenizer, query_max_len=contestant.max_length, passage_max_len=contestant.max_length, padding=True
    )

    def work(pairs: Pairs, steps: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "train.jsonl"
            rows = ({"query": query, "pos": [document], "neg": []} for query, document in pairs)
            file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            read = EncoderOnlyEmbedderDataArguments(
                train_data=[str(file)], cache_path=str(Path(folder) / "cache"), train_group_size=1
            )
            trainer: Any = EncoderOnlyEmbedderTrainer(
                model=model,
                args=EncoderOnlyEmbedderTrainingArguments(**trainer_arguments(contestant, steps, folder)),
                train_dataset=AbsEmbedderTrainDataset(read, tokenizer),
                data_collator=collate,
                processing_class=tokenizer,
            )
            trainer.train()

    def encode(texts: list[str]) -> np.ndarray:
        tokens = tokenizer(texts, padding=True, truncation=True, max_length=contestant.max_length, return_tensors="pt")
        with torch.no_grad():
            return np.asarray(model.eval().encode(tokens))

    return work, in_batch_scores(encode)


def write_start(base: str, folder: str, document_length: int) -> None:
    """Save a late-interaction model that nobody has trained yet, which both libraries load; by PyLate."""
    from pylate import models

    models.ColBERT(
        base,
        device="cpu",
        embedding_size=DIMENSION,
        query_length=QUERY_LENGTH,
        document_length=document_length,
    ).save(folder)


def train_pylate(contestant: Contestant) -> tuple[Train, Score]:
    """PyLate's, as its documentation has it: sentence-transformers' trainer with its collator and contrastive loss."""
    from datasets import Dataset
    from pylate import losses, models, scores, utils
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    model = models.ColBERT(contestant.model, device="cpu")

    def work(pairs: Pairs, steps: int) -> None:
        columns = {"query": [query for query, _ in pairs], "positive": [document for _, document in pairs]}
        with tempfile.TemporaryDirectory() as folder:
            trainer: Any = SentenceTransformerTrainer(
                model=model,
                args=SentenceTransformerTrainingArguments(**trainer_arguments(contestant, steps, folder)),
                train_dataset=Dataset.from_dict(columns),
                loss=losses.Contrastive(model=model),
                data_collator=utils.ColBERTCollator(model.tokenize),
            )
            trainer.train()

    def score(queries: list[str], documents: list[str]) -> np.ndarray:
        asked = model.encode(queries, is_query=True, show_progress_bar=False, convert_to_tensor=True)
        columns = [
            scores.colbert_scores(asked, document[None])
            for document in model.encode(documents, is_query=False, show_progress_bar=False, convert_to_tensor=True)
        ]
        return np.concatenate([np.asarray(column, dtype=np.float64) for column in columns], axis=1)

    return work, score


def train_cosmith_late_interaction(contestant: Contestant) -> tuple[Train, Score]:
    """Ours, from the same folder."""
    import torch

    from cosmith.data import Source, TrainingRow
    from cosmith.losses import max_similarity
    from cosmith.models import LateInteractionEncoder
    from cosmith.training import TrainingSettings, train_late_interaction

    state = {"encoder": LateInteractionEncoder.load(contestant.model)}

    def work(pairs: Pairs, steps: int) -> None:
        source = Source.from_rows("pairs", [TrainingRow(query, (document,)) for query, document in pairs])
        settings = TrainingSettings(
            steps=steps,
            batch_size=contestant.batch,
            learning_rate=contestant.learning_rate,
            loss="classic",
            temperature=1.0,
            precision=contestant.precision,  # type: ignore[arg-type]
        )
        state["encoder"] = train_late_interaction(state["encoder"], [source], settings).encoder

    def score(queries: list[str], documents: list[str]) -> np.ndarray:
        asked, found = state["encoder"].encode_queries(queries), state["encoder"].encode_documents(documents)
        scores = max_similarity(
            *(torch.from_numpy(each) for part in (asked, found) for each in (part.values, part.offsets))
        )
        return scores.double().numpy()

    return work, score


@dataclass(frozen=True)
class Peer:
    """A library to meet.

    Attributes:
        make: How its contestants and ours train.
        distributions: Whose versions to tell.
        setting: What is trained, in words.
    """

    make: Mapping[str, Make]
    distributions: tuple[str, ...]
    setting: str


PEERS = {
    "flag-embedding": Peer(
        {"cosmith": train_cosmith, "flag-embedding": train_flag_embedding},
        ("FlagEmbedding", "torch", "transformers"),
        f"at most {{max_length}} tokens a text; {MODEL}, in-batch negatives (temperature {TEMPERATURE})",
    ),
    "late-interaction": Peer(
        {"cosmith": train_cosmith_late_interaction, "pylate": train_pylate},
        ("pylate", "torch", "transformers", "sentence-transformers"),
        f"queries filled up to {QUERY_LENGTH} tokens, documents of at most {{max_length}}; {MODEL} with a new "
        f"projection to {DIMENSION} numbers a token, in-batch negatives (temperature 1). PyLate pads every document to "
        "{max_length} tokens",
    ),
}


def versions(python: str, distributions: tuple[str, ...]) -> str:
    """What is installed in the environment of that Python."""
    ask = "import sys, importlib.metadata as m; print(', '.join(f'{each} {m.version(each)}' for each in sys.argv[1:]))"
    command = [python, "-c", ask, *distributions]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contest", choices=PEERS, required=True)
    parser.add_argument("--peer-python", help="the Python executable of the peer's environment")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="in what to compute")
    parser.add_argument("--pairs", type=int, default=640, help="pairs to train on")
    parser.add_argument("--passes", type=int, default=1, help="over the pairs")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--max-length", type=int, default=128, help="tokens at which texts are cut, at most 256")
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--start", help=argparse.SUPPRESS)
    given = parser.parse_args()
    peer = PEERS[given.contest]
    if given.start:
        write_start(given.model, given.start, given.max_length)
    elif given.worker:
        contestant = Contestant.named(given.worker, given)
        print(json.dumps(measure(peer.make[contestant.library], contestant, read_pairs(given.file))))
    elif not given.peer_python:
        parser.error("--peer-python is missing: see above how to make the peer's environment")
    else:
        meet(peer, given)


def meet(peer: Peer, given: argparse.Namespace) -> None:
    """Let Cosmith and the peer take turns, and write up what came of it."""
    from cosmith.models import find_model

    names = [f"{library} {precision}" for library in peer.make for precision in given.precisions]
    pythons = {name: given.peer_python for name in names if not name.startswith("cosmith")}
    contest = interleaved.Contest("benchmarks.peers_throughput", names, FIGURES, pythons)
    work = ["--contest", given.contest, "--passes", str(given.passes), "--batch", str(given.batch)]
    work += ["--max-length", str(given.max_length)]
    work += ["--learning-rate", f"{given.learning_rate:g}"]
    with tempfile.TemporaryDirectory() as folder:
        file, model = Path(folder) / "pairs.jsonl", str(find_model(MODEL))
        write_pairs(file, given.pairs + HELD_OUT)
        if given.contest == "late-interaction":
            base, model = model, str(Path(folder) / "start")
            command = [given.peer_python, "-m", contest.module, *work, "--model", base, "--start", model]
            subprocess.run(command, capture_output=True, check=True)
        results = interleaved.run(contest, [*work, "--file", str(file), "--model", model], given.rounds, given.threads)
    notes = (
        f"{given.pairs:,} pairs (docstring sentence → function body), {peer.setting.format(**vars(given))}. Batch "
        f"{given.batch}, {given.passes} pass(es), dropout as in the model's config, {given.threads} thread(s). "
        f"Tokenising counts for both. Held-out loss: the same formula on {HELD_OUT} other pairs, encoded by the "
        "library that trained the model; the model before training is the same. The peer's environment: "
        f"{versions(given.peer_python, peer.distributions)}."
    )
    arguments = [
        *work,
        f"--precisions {' '.join(given.precisions)} --pairs {given.pairs}",
        f"--rounds {given.rounds} --threads {given.threads} --peer-python PEER/bin/python",
    ]
    title = f"Training throughput: {given.contest}"
    interleaved.write_up(title, contest.module, arguments, notes, interleaved.table(contest, results), given.output)


if __name__ == "__main__":
    main()
