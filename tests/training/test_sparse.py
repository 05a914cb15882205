"""Training a sparse encoder through the one loop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.errors import InputError
from cosmith.models import SparseEncoder, tiny_encoder
from cosmith.training import Sparsity, TrainingSettings, train_sparse
from cosmith.training.distributed import Ranks
from cosmith.training.sparse import SparseJob, prepare
from cosmith.training.step import add_gradients

WORDS = ("red", "sky", "cow", "tin", "oak", "fig", "gem", "ivy")
ROWS = [
    TrainingRow(f"what is {WORDS[n % 8]}", (f"{WORDS[n % 8]} {n}",), (f"{WORDS[(n + 3) % 8]} {n}",), scores=(3.0, 1.0))
    for n in range(64)
]
SOURCE = Source.from_rows("words", ROWS)
SETTINGS = TrainingSettings(steps=6, batch_size=8, learning_rate=3e-3, precision="float32", micro_batch_tokens=100)


def sparse(dropout: float = 0.0) -> SparseEncoder:
    return SparseEncoder.from_encoder(tiny_encoder("bert", dropout=dropout))


def gradients(job: SparseJob, step: int) -> tuple[float, dict[str, torch.Tensor]]:
    job.module.train()
    job.module.zero_grad()
    loss = add_gradients(job, step).loss
    return loss, {name: p.grad.clone() for name, p in job.module.named_parameters() if p.grad is not None}


def vectors(model: SparseEncoder, texts: list[str]) -> torch.Tensor:
    """By the formula, on plain transformers, a text at a time."""
    read = model.tokenizer.tokenizer
    logits = [model._model(**read(text, return_tensors="pt")).logits[0] for text in texts]
    return torch.stack([of_text.relu().log1p().amax(0) for of_text in logits])


@pytest.mark.parametrize("step", [0, 1, 5])
def test_a_step_is_info_nce_on_dot_products_with_flops(step: int) -> None:
    distinct = [replace(row, query=f"{row.query} {number}") for number, row in enumerate(ROWS)]
    source, sparsity = Source.from_rows("distinct", distinct), Sparsity(documents=0.3, queries=0.2, warmup=0.5)
    job = prepare(sparse(), [source], replace(SETTINGS, batch_size=4, loss="classic"), sparsity)
    value, got = gradients(job, step)
    rows = [distinct[number] for number in job.run.plan.at(step).rows]
    job.module.zero_grad()
    asked = vectors(job.encoder, [row.query for row in rows])
    documents = vectors(job.encoder, [row.positives[0] for row in rows] + [row.negatives[0] for row in rows])
    expected = torch.nn.functional.cross_entropy(asked @ documents.T, torch.arange(4))
    rise = min(1.0, step / 3) ** 2
    expected = expected + rise * (0.3 * documents.mean(0).square().sum() + 0.2 * asked.mean(0).square().sum())
    expected.backward()  # type: ignore[no-untyped-call]
    assert value == pytest.approx(expected.item(), rel=1e-4)
    for name, parameter in job.module.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(got[name], parameter.grad, rtol=1e-3, atol=1e-5)


def test_the_shares_of_ranks_add_up_to_the_step() -> None:
    job = prepare(sparse(), [SOURCE], SETTINGS, Sparsity(0.3, 0.2))
    whole = job.work(4)
    embeddings = torch.rand(sum(map(len, whole.batches)), job.encoder.dimension)
    parts = [job.work(4, Ranks(rank, 3)).loss(embeddings) for rank in range(3)]
    torch.testing.assert_close(sum(parts), whole.loss(embeddings))


def margins(model: SparseEncoder) -> np.ndarray:
    """How much nearer each query is to its answer than to its non-answer."""
    columns = [[row.query for row in ROWS], [row.positives[0] for row in ROWS], [row.negatives[0] for row in ROWS]]
    asked, good, bad = (model.encode(texts).dense() for texts in columns)
    difference: np.ndarray = (asked * (good - bad)).sum(1)
    return difference


def test_it_learns_and_becomes_sparse(tmp_path: Path) -> None:
    base = sparse(dropout=0.1)
    before = base.fingerprint()
    settings = replace(SETTINGS, steps=100, batch_size=16, watch_every=1)
    tuned = train_sparse(base, [SOURCE], settings, sparsity=Sparsity(0.1, 0.1), folder=tmp_path).encoder
    assert base.fingerprint() == before
    assert (margins(tuned) > 0).mean() > 0.9 > (margins(base) > 0).mean()
    texts = [row.positives[0] for row in ROWS]
    assert tuned.encode(texts).counts.mean() < 0.6 * base.encode(texts).counts.mean()
    entries = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert entries[-1]["sparsity/document_words"] < entries[0]["sparsity/document_words"]
    loaded = SparseEncoder.load(tuned.save(tmp_path / "m"))
    assert loaded.fingerprint() == tuned.fingerprint()


@pytest.mark.parametrize("lanes", [1, 3])
def test_cached_is_direct_and_lanes_change_nothing_but_rounding(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sparse(0.2)
    alone = gradients(prepare(made, [SOURCE], SETTINGS, Sparsity(0.1, 0.1)), 3)
    monkeypatch.setattr("cosmith.training.contrastive.lanes_of", lambda _: lanes)
    loss, expected = gradients(prepare(made, [SOURCE], SETTINGS, Sparsity(0.1, 0.1)), 3)
    cached = gradients(prepare(made, [SOURCE], replace(SETTINGS, strategy="cached"), Sparsity(0.1, 0.1)), 3)
    assert cached[0] == loss
    assert all(torch.equal(cached[1][name], expected[name]) for name in expected)
    if lanes == 1:
        for name, gradient in alone[1].items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["margin-mse", "score-kl"])
def test_a_teacher_is_followed(loss: str) -> None:
    settings = replace(SETTINGS, loss=loss, steps=100, learning_rate=5e-3)
    tuned = train_sparse(sparse(), [SOURCE], settings, sparsity=Sparsity(0, 0)).encoder
    assert margins(tuned) == pytest.approx(np.full(len(ROWS), 2.0), abs=0.5)  # that of the teacher's scores


def test_a_run_goes_on_and_knows_its_regulariser(tmp_path: Path) -> None:
    settings = replace(SETTINGS, checkpoint_every_steps=2)
    first = train_sparse(sparse(), [SOURCE], settings, folder=tmp_path).encoder
    assert train_sparse(sparse(), [SOURCE], settings, folder=tmp_path).encoder.fingerprint() == first.fingerprint()
    with pytest.raises(InputError, match="objective"):
        train_sparse(sparse(), [SOURCE], settings, sparsity=Sparsity(documents=1.0), folder=tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dims": (8,)}, "dense vectors"),
        ({"quantise": ("int8",)}, "dense vectors"),
        ({"loss": "cosent"}, "does not learn by 'cosent'"),
        ({"loss": "gist"}, r"guided|teacher"),
    ],
)
def test_what_does_not_fit_is_said(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train_sparse(sparse(), [SOURCE], replace(SETTINGS, **changes))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 0"):
        Sparsity(documents=-1.0)


def test_a_step_with_static_queries_is_info_nce_of_their_weights() -> None:
    distinct = [  # positives longer than the queries, negatives shorter: a micro-batch has them in any order
        replace(row, query=f"{row.query} {number}", positives=(f"{row.positives[0]} and what is about it",))
        for number, row in enumerate(ROWS)
    ]
    source, sparsity = Source.from_rows("distinct", distinct), Sparsity(documents=0.3, queries=0.2, warmup=0)
    made = sparse().with_static_queries([row.positives[0] for row in ROWS])
    job = prepare(made, [source], replace(SETTINGS, batch_size=4, loss="classic", micro_batch_tokens=None), sparsity)
    value, got = gradients(job, 1)
    rows = [distinct[number] for number in job.run.plan.at(1).rows]
    job.module.zero_grad()
    assert made.static_queries is not None
    read, weight = made.tokenizer.tokenizer, made.static_queries.weight
    present = torch.zeros(4, made.dimension)
    for number, row in enumerate(rows):
        present[number, read(row.query, add_special_tokens=False)["input_ids"]] = 1
    documents = vectors(made, [row.positives[0] for row in rows] + [row.negatives[0] for row in rows])
    expected = torch.nn.functional.cross_entropy((present * weight) @ documents.T, torch.arange(4))
    expected = expected + 0.3 * documents.mean(0).square().sum()  # none for queries
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-5)
    for name, parameter in job.module.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(got[name], parameter.grad, atol=1e-5, rtol=1e-4)
    assert got["queries.weight"].abs().max() > 0


@pytest.mark.parametrize("strategy", ["direct", "cached"])
def test_weights_of_queries_learn_at_their_own_rate(strategy: str, tmp_path: Path) -> None:
    start = sparse().with_static_queries()
    settings = replace(SETTINGS, learning_rate=1e-9, schedule="constant", warmup=0.0, strategy=strategy)
    moved = []
    for rate in (None, 0.05):
        tuned = train_sparse(start, [SOURCE], settings, query_learning_rate=rate).encoder
        assert tuned.static_queries is not None
        moved.append((tuned.static_queries.weight - 1).abs().max().item())
        for name, value in start.module.state_dict().items():
            if name != "queries.weight":
                torch.testing.assert_close(tuned.module.state_dict()[name], value, atol=1e-6, rtol=0)
    assert moved[0] < 1e-6
    assert 0.05 < moved[1] < 0.5
    reloaded = SparseEncoder.load(tuned.save(tmp_path / "m"))
    assert reloaded.fingerprint() == tuned.fingerprint()
    with pytest.raises(InputError, match="query_learning_rate"):
        train_sparse(start, [SOURCE], settings, query_learning_rate=0.0)
    with pytest.raises(InputError, match=r"query_learning_rate.*Give it static queries"):
        train_sparse(sparse(), [SOURCE], settings, query_learning_rate=0.05)


def test_documents_are_not_read_as_static_queries() -> None:
    same = replace(SOURCE, settings=SourceSettings(task="pair", in_batch_negatives=True))
    with pytest.raises(InputError, match=r'would be read as queries.*\("query", "document"\)'):
        prepare(sparse().with_static_queries(), [same], SETTINGS, Sparsity())
    told = replace(SOURCE, settings=replace(same.settings, prompts=("query", "document")))
    assert prepare(sparse().with_static_queries(), [told], SETTINGS, Sparsity()).run.sources[0].roles_differ


def test_a_source_names_its_temperature() -> None:
    settings = replace(SETTINGS, loss="classic", temperature=2.0)
    warm = replace(SOURCE, name="warm", settings=SourceSettings(temperature=4.0))
    named = replace(SOURCE, name="named", settings=SourceSettings(loss={"name": "score-kl", "temperature": 3.0}))
    job = prepare(sparse(), [SOURCE, warm, named], settings, Sparsity())
    assert [spec.temperature for spec in job.run.specs] == [2.0, 4.0, 3.0]  # type: ignore[union-attr]
    (usual,) = prepare(sparse(), [SOURCE], replace(settings, temperature=None), Sparsity()).run.specs
    assert usual.temperature == 1.0  # type: ignore[union-attr]
