"""What each of several ranks does; run by test_distributed.py, which does the same on one rank.

Run as ``python rank_program.py FOLDER``, with the environment that ``torchrun`` gives.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.errors import CosmithError
from cosmith.losses import StepStructure
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import TrainingSettings, train_with_result
from cosmith.training.contrastive import prepare
from cosmith.training.distributed import Ranks, start_ranks
from cosmith.training.encoding import Strategy, backward_step
from cosmith.training.settings import StrategyName
from cosmith.training.step import add_gradients

WORDS = ["".join("abcdefgh"[(number >> shift) & 7] for shift in (0, 3, 6)) for number in range(0, 500, 17)]
NARROW = [TrainingRow(word, (word[::-1],)) for word in WORDS]
WIDE = [
    TrainingRow(f"{word} and more of it", (word * 3, word * 2), tuple(WORDS[:3]), label=number % 3)
    for number, word in enumerate(WORDS[:12])
]
SOURCES = [
    Source.from_rows("narrow", NARROW),
    Source.from_rows("wide", WIDE, SourceSettings(batch_size=3)),
    Source.from_rows("classes", WIDE, SourceSettings(batch_size=9, loss="triplet-all")),
]  # other widths: where ranks took different Sources in one step, they would wait for each other for ever
SETTINGS = TrainingSettings(
    steps=6, batch_size=10, learning_rate=1e-3, temperature=0.1, precision="float32", micro_batch_tokens=20, dims=(8,),
    evaluate_every=2, mixing="round_robin",
)  # fmt: skip
STRATEGIES: tuple[StrategyName, ...] = ("direct", "cached")


def dev(encoder: Encoder) -> float:
    """Some score that training changes."""
    first, second = encoder.encode(["abc", "cba"])
    return float(first @ second)


def gradients(ranks: Ranks, strategy: StrategyName, dropout: float, step: int) -> dict[str, torch.Tensor]:
    """The gradients of a step, all graphs kept (``direct``) or none (``cached``)."""
    encoder = tiny_encoder("bert", dropout=dropout)
    encoder.module.train()
    add_gradients(prepare(encoder, SOURCES, replace(SETTINGS, strategy=strategy)), step, ranks)
    named = encoder.module.named_parameters()
    return {f"{strategy}/{step}/{dropout}/{name}": each.grad for name, each in named if each.grad is not None}


def of_my_own(embeddings: torch.Tensor, structure: StepStructure) -> torch.Tensor:
    """A loss that compares pairs of the whole step: each query is to be nearer to its positives than to the rest."""
    scores = embeddings[structure.query] @ embeddings.T
    own = scores[structure.positive_row, structure.positives]
    return (scores / 0.1).logsumexp(1).mean() - (own / 0.1).mean()


def own_gradients(ranks: Ranks, strategy: StrategyName) -> dict[str, torch.Tensor]:
    """Those of a loss of the user's own."""
    encoder = tiny_encoder("bert")
    settings = replace(SETTINGS, loss=of_my_own, temperature=None, strategy=strategy)
    outcome = add_gradients(prepare(encoder, SOURCES[:2], settings), 1, ranks)
    named = encoder.module.named_parameters()
    found = {f"{strategy}/own/{name}": each.grad for name, each in named if each.grad is not None}
    return found | {f"{strategy}/own loss": torch.tensor(outcome.loss)}


def lopsided(ranks: Ranks) -> dict[str, torch.Tensor]:
    """One micro-batch, so that all ranks but one have no text; and a parameter that no text reaches."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(4, 3, generator=generator))
    idle = torch.nn.Parameter(torch.ones(2))
    inputs = torch.randn(5, 4, generator=generator)

    def loss(embeddings: torch.Tensor) -> torch.Tensor:
        return ((embeddings @ embeddings.T).exp().sum(1) / len(embeddings))[ranks.rows(5)].sum()

    value = backward_step(
        lambda batch: inputs[batch] @ weight,
        [torch.arange(5).numpy()],
        loss,
        [weight, idle],
        strategy=Strategy(keep=0),
        ranks=ranks,
    )
    assert idle.grad is None
    assert weight.grad is not None
    return {"lopsided": weight.grad, "loss": torch.tensor(value)}


def everything(ranks: Ranks, folder: Path) -> dict[str, torch.Tensor]:
    """All that ranks are compared by."""
    tensors = lopsided(ranks)
    for strategy in STRATEGIES:
        tensors |= own_gradients(ranks, strategy)
        for dropout in (0.0, 0.3):
            for step in (0, 1, 2, 3):
                tensors |= gradients(ranks, strategy, dropout, step)
    result = train_with_result(tiny_encoder("bert"), SOURCES, SETTINGS, folder=folder / "run", dev=dev)
    tensors |= {f"trained/{name}": value for name, value in result.encoder.module.state_dict().items()}
    tensors["score"] = torch.tensor([result.base_score, result.best_score, result.alpha])
    return tensors


def unable(encoder: Encoder) -> float:
    """A score that cannot be worked out."""
    raise FileNotFoundError("the development set is gone")


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    joined, device = start_ranks(torch.device("cpu"))
    tensors = everything(joined, place)
    save_file(tensors, place / f"rank-{joined.rank}.safetensors")
    try:
        joined.check_same("model", str(joined.rank), device)
    except CosmithError as error:
        (place / f"refusal-{joined.rank}").write_text(str(error))
    try:
        train_with_result(tiny_encoder("bert"), SOURCES, SETTINGS, dev=unable)
    except (CosmithError, FileNotFoundError) as error:
        (place / f"failure-{joined.rank}").write_text(f"{type(error).__name__}: {error}")
