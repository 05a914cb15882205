"""Training a late-interaction model through the one loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cosmith.data import Source, SourceSettings, TrainingRow
from cosmith.errors import CosmithError, InputError
from cosmith.models import LateInteractionEncoder, QueryExpansion, tiny_encoder
from cosmith.training import TrainingSettings, train_late_interaction
from cosmith.training.distributed import Ranks
from cosmith.training.health.checks import loss_and_norm
from cosmith.training.late_interaction import LateInteractionJob, prepare
from cosmith.training.step import add_gradients

WORDS = ("red", "sky", "cow", "tin", "oak", "fig", "gem", "ivy")
ROWS = [
    TrainingRow(
        f"what is {WORDS[n % 8]}", (f"{WORDS[n % 8]}, {n}",), (f"{WORDS[(n + 3) % 8]} {n}.",), scores=(3.0, 1.0)
    )
    for n in range(64)
]
SOURCE = Source.from_rows("words", ROWS)
SETTINGS = TrainingSettings(steps=6, batch_size=8, learning_rate=3e-3, precision="float32", micro_batch_tokens=100)


def late(dropout: float = 0.0, expansion: QueryExpansion | None = QueryExpansion(16)) -> LateInteractionEncoder:  # noqa: B008
    return LateInteractionEncoder.from_encoder(tiny_encoder("bert", dropout=dropout), 16, expansion=expansion)


def gradients(job: LateInteractionJob, step: int) -> tuple[float, dict[str, torch.Tensor]]:
    job.module.train()
    job.module.zero_grad()
    loss = add_gradients(job, step).loss
    return loss, {name: p.grad.clone() for name, p in job.module.named_parameters() if p.grad is not None}


def vectors(model: LateInteractionEncoder, text: str, *, query: bool) -> torch.Tensor:
    """By the definition, on plain transformers, one text by itself."""
    ids = model.tokenizer.tokenizer(text)["input_ids"]
    seen = len(ids)
    if query:
        ids = ids + [model.tokenizer.tokenizer.eos_token_id] * (16 - seen)
    mask = (torch.arange(len(ids)) < seen).long()[None]
    states = model.module["backbone"](input_ids=torch.tensor([ids]), attention_mask=mask).last_hidden_state[0]
    skipped = model.tokenizer.tokenizer.convert_tokens_to_ids([",", "."])
    kept = [place for place, token in enumerate(ids) if query or token not in skipped]
    return torch.nn.functional.normalize(model.module["dense"](states[kept]), dim=1)


@pytest.mark.parametrize("loss", ["classic", "score-kl"])
def test_a_step_is_the_loss_of_maximal_similarities(loss: str) -> None:
    distinct = [replace(row, query=f"{row.query} {number}") for number, row in enumerate(ROWS)]
    job = prepare(late(), [Source.from_rows("distinct", distinct)], replace(SETTINGS, batch_size=4, loss=loss))
    value, got = gradients(job, 1)
    rows = [distinct[number] for number in job.run.plan.at(1).rows]
    job.module.zero_grad()
    asked = [vectors(job.encoder, row.query, query=True) for row in rows]
    read = [vectors(job.encoder, row.positives[0], query=False) for row in rows]
    read += [vectors(job.encoder, row.negatives[0], query=False) for row in rows]
    scores = torch.stack([torch.stack([(one @ other.T).amax(1).sum() for other in read]) for one in asked])
    if loss == "classic":
        expected = torch.nn.functional.cross_entropy(scores, torch.arange(4))
    else:
        own = torch.stack([scores[:, :4].diagonal(), scores[:, 4:].diagonal()], dim=1)
        teacher = torch.tensor([[3.0, 1.0]] * 4).log_softmax(1)
        expected = torch.nn.functional.kl_div(own.log_softmax(1), teacher, reduction="batchmean", log_target=True)
    expected.backward()  # type: ignore[no-untyped-call]
    assert value == pytest.approx(expected.item(), rel=1e-4)
    for name, parameter in job.module.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(got[name], parameter.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loss", ["default", "margin-mse"])
def test_the_shares_of_ranks_add_up_to_the_step(loss: str) -> None:
    job = prepare(late(), [SOURCE], replace(SETTINGS, loss=loss))
    whole = job.work(4)
    embeddings = torch.randn(sum(map(len, whole.batches)), job.encoder.dimension)
    for world in (3, 11):  # some have no row
        parts = [job.work(4, Ranks(rank, world)).loss(embeddings) for rank in range(world)]
        torch.testing.assert_close(sum(parts), whole.loss(embeddings))


def test_known_positives_and_same_texts_are_no_negatives() -> None:
    """Rows of one query and one answer: with nothing left to tell apart the loss is none."""
    alike = Source.from_rows("alike", [TrainingRow("red", ("sky",))] * 8)
    assert gradients(prepare(late(), [alike], SETTINGS), 0)[0] == 0


@pytest.mark.parametrize("expansion", [None, QueryExpansion(16), QueryExpansion(16, "min", attend=True)])
@pytest.mark.parametrize("lanes", [1, 3])
def test_cached_is_direct_and_lanes_change_nothing_but_rounding(
    lanes: int, expansion: QueryExpansion | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = late(0.2, expansion)
    alone = gradients(prepare(made, [SOURCE], SETTINGS), 3)
    monkeypatch.setattr("cosmith.training.contrastive.lanes_of", lambda _: lanes)
    loss, expected = gradients(prepare(made, [SOURCE], SETTINGS), 3)
    cached = gradients(prepare(made, [SOURCE], replace(SETTINGS, strategy="cached")), 3)
    assert cached[0] == loss
    assert all(torch.equal(cached[1][name], expected[name]) for name in expected)
    if lanes == 1:
        for name, gradient in alone[1].items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5)


def margins(model: LateInteractionEncoder) -> np.ndarray:
    """How much nearer each query is to its answer than to its non-answer."""
    asked = [row.query for row in ROWS]
    difference: np.ndarray = model.score(asked, [row.positives[0] for row in ROWS])
    return difference - model.score(asked, [row.negatives[0] for row in ROWS])


def test_it_learns_and_the_folder_holds_what_was_learnt(tmp_path: Path) -> None:
    base = late(dropout=0.1)
    before = base.fingerprint()
    tuned = train_late_interaction(base, [SOURCE], replace(SETTINGS, steps=60), folder=tmp_path).encoder
    assert base.fingerprint() == before
    assert (margins(tuned) > 0).mean() > 0.95 > (margins(base) > 0).mean()
    loaded = LateInteractionEncoder.load(tuned.save(tmp_path / "m"))
    assert loaded.fingerprint() == tuned.fingerprint()


@pytest.mark.parametrize("loss", ["margin-mse", "score-kl"])
def test_a_teacher_is_followed(loss: str) -> None:
    tuned = train_late_interaction(late(), [SOURCE], replace(SETTINGS, loss=loss, steps=80)).encoder
    assert margins(tuned) == pytest.approx(np.full(len(ROWS), 2.0), abs=0.6)  # that of the teacher's scores


def test_where_both_sides_are_alike_both_are_read_as_queries() -> None:
    source = Source.from_rows("sts", [TrainingRow("red.", ("sky,",)), TrainingRow("sky,", ("cow",))],
                              SourceSettings(task="pair", in_batch_negatives=True))  # fmt: skip
    job = prepare(late(), [source], replace(SETTINGS, batch_size=2))
    assert np.diff(job.tokens(0).offsets).tolist() == [16] * 4  # the text of both roles twice
    assert gradients(job, 0)[0] > 0


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    settings = replace(SETTINGS, checkpoint_every_steps=2)
    first = train_late_interaction(late(), [SOURCE], settings, folder=tmp_path).encoder
    again = train_late_interaction(late(), [SOURCE], settings, folder=tmp_path).encoder
    assert again.fingerprint() == first.fingerprint()
    with pytest.raises(InputError, match="model"):
        train_late_interaction(late(expansion=None), [SOURCE], settings, folder=tmp_path)


def test_the_doctor_names_a_weight_that_is_none(tmp_path: Path) -> None:
    broken = late()
    with torch.no_grad():
        broken.module["dense"].linear.weight[3, 4] = torch.nan  # type: ignore[index]
    with pytest.raises(CosmithError):
        train_late_interaction(broken, [SOURCE], SETTINGS, folder=tmp_path)
    (report,) = (tmp_path / "health").glob("step-*.md")
    text = report.read_text()
    assert "dense.linear.weight" in text
    assert "a token of a " in text
    job = prepare(late(), [SOURCE], SETTINGS)
    assert loss_and_norm(job, 2)[0] == gradients(job, 2)[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dims": (8,)}, "dense vectors"),
        ({"spread_out": 1.0}, "dense vectors"),
        ({"loss": "cosent"}, "does not learn by 'cosent'"),
        ({"loss": "qwen3-embedding"}, "queries with queries"),
        ({"adapter": "lora", "merge_adapter": False}, "cannot be kept apart"),
    ],
)
def test_what_does_not_fit_is_said(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        train_late_interaction(late(), [SOURCE], replace(SETTINGS, **changes))  # type: ignore[arg-type]
