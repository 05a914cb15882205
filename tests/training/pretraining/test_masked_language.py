"""A backbone that learns to guess hidden words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.errors import InputError
from cosmith.models import Encoder, initialise, tiny_encoder
from cosmith.training import TrainingSettings
from cosmith.training.pretraining import pretrain, pretrain_with_result
from cosmith.training.pretraining.masked_language import MaskedLanguageJob, prepare
from cosmith.training.step import add_gradients

DAYS = ("monday", "tuesday", "friday", "sunday")
TEXTS = [
    f"after {DAYS[n % 4]} the {['cat', 'dog', 'cow'][n % 3]} sleeps in house {n % 7} until noon" for n in range(90)
]
SETTINGS = TrainingSettings(steps=40, batch_size=16, learning_rate=5e-3, precision="float32", micro_batch_tokens=60)


def encoder(dropout: float = 0.1, **changes: Any) -> Encoder:
    sizes: dict[str, Any] = {"vocabulary": 300, "layers": 2, "hidden": 32, "heads": 4, "max_length": 32}
    return initialise(TEXTS, dropout=dropout, **(sizes | {"backbone": "bert"} | changes))


def gradients(job: MaskedLanguageJob, step: int = 0) -> tuple[float, dict[str, torch.Tensor]]:
    job.module.train()
    job.module.zero_grad()
    loss = add_gradients(job, step).loss
    return loss, {name: p.grad.clone() for name, p in job.module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("backbone", ["bert", "gemma"])
def test_the_loss_falls_and_guesses_become_right(backbone: str, tmp_path: Path) -> None:
    base = encoder(backbone=backbone)
    before = base.fingerprint()
    result = pretrain_with_result(base, TEXTS, SETTINGS, mask_rate=0.2, folder=tmp_path)
    assert base.fingerprint() == before
    losses = [entry["loss"] for entry in map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())]
    assert losses[0] == pytest.approx(np.log(len(base.tokenizer.tokenizer)), rel=0.1)  # it knows nothing yet
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    assert not result.encoder.module.training


def test_a_step_is_what_transformers_makes_of_it() -> None:
    """The same masked texts through transformers' own model for masked language, with our weights in it."""
    from transformers import BertForMaskedLM

    job = prepare(encoder(0.0), TEXTS, replace(SETTINGS, batch_size=8), 0.3)
    loss, got = gradients(job)
    from cosmith.training.mixing import key_of
    from cosmith.training.pretraining import mask_tokens

    tokenizer = job.encoder.tokenizer.tokenizer
    special = np.array(sorted(tokenizer.all_special_ids))
    masked = mask_tokens(
        job.pieces.take(job.plan.at(0).rows), special=special, mask=tokenizer.mask_token_id,
        vocabulary=len(tokenizer), rate=0.3, seed=key_of(0, 0, 7),
    )  # fmt: skip
    theirs = BertForMaskedLM(job.encoder.module["backbone"].config)
    theirs.bert.load_state_dict(job.encoder.module["backbone"].state_dict(), strict=False)
    head = theirs.cls.predictions
    head.transform.dense.load_state_dict(job.head.dense.state_dict())
    head.bias.data.copy_(job.head.bias.data)
    theirs.tie_weights()
    lengths = masked.tokens.lengths
    ids = torch.zeros(len(lengths), int(lengths.max()), dtype=torch.long)
    attention, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, (start, length) in enumerate(zip(masked.tokens.offsets, lengths, strict=False)):
        ids[row, :length] = torch.from_numpy(masked.tokens.values[start : start + length].astype(np.int64))
        attention[row, :length] = 1
        inside = (masked.positions >= start) & (masked.positions < start + length)
        labels[row, masked.positions[inside] - start] = torch.from_numpy(masked.labels[inside])
    expected = theirs.train()(input_ids=ids, attention_mask=attention, labels=labels).loss
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    words = "embeddings.word_embeddings.weight"
    torch.testing.assert_close(
        got[f"encoder.backbone.{words}"], theirs.bert.get_parameter(words).grad, rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(got["head.bias"], head.bias.grad, rtol=1e-4, atol=1e-6)
    name = "encoder.layer.0.attention.self.value.weight"
    torch.testing.assert_close(
        got[f"encoder.backbone.{name}"], theirs.bert.get_parameter(name).grad, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("lanes", [1, 3])
def test_cached_is_direct_and_lanes_change_nothing_but_rounding(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = encoder(0.2)
    alone = gradients(prepare(made, TEXTS, SETTINGS, 0.3))
    monkeypatch.setattr("cosmith.training.pretraining.masked_language.lanes_of", lambda _: lanes)
    loss, expected = gradients(prepare(made, TEXTS, SETTINGS, 0.3))
    cached = gradients(prepare(made, TEXTS, replace(SETTINGS, strategy="cached"), 0.3))
    assert cached[0] == loss
    assert all(torch.equal(cached[1][name], expected[name]) for name in expected)
    if lanes == 1:
        for name, gradient in alone[1].items():
            torch.testing.assert_close(gradient, expected[name], rtol=1e-4, atol=1e-5)


def test_long_texts_are_learnt_from_in_pieces() -> None:
    text = " ".join(TEXTS)
    job = prepare(encoder(), [text, "noon"], SETTINGS, 0.3)
    assert job.pieces.lengths.max() == 32
    assert job.pieces.lengths[-1] == 3
    tokenizer = job.encoder.tokenizer.tokenizer
    ends = job.pieces.offsets[1:] - 1
    assert set(job.pieces.values[job.pieces.offsets[:-1]]) == {tokenizer.cls_token_id}
    assert set(job.pieces.values[ends]) == {tokenizer.sep_token_id}
    inside = np.setdiff1d(np.arange(len(job.pieces.values)), [*job.pieces.offsets[:-1], *ends])
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert job.pieces.values[inside].tolist() == [*whole, *tokenizer("noon", add_special_tokens=False)["input_ids"]]


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(SETTINGS, steps=9, checkpoint_every_steps=4)
    undisturbed = pretrain(encoder(), TEXTS, settings)
    from cosmith.training import loop

    take, calls = loop._take_step, []

    def failing(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 7:
            raise RuntimeError("the machine went away")
        return take(*arguments)

    monkeypatch.setattr(loop, "_take_step", failing)
    with pytest.raises(RuntimeError):
        pretrain(encoder(), TEXTS, settings, folder=tmp_path)
    monkeypatch.undo()
    assert pretrain(encoder(), TEXTS, settings, folder=tmp_path).fingerprint() == undisturbed.fingerprint()
    with pytest.raises(InputError, match="texts"):
        pretrain(encoder(), TEXTS[1:], settings, folder=tmp_path)


def test_what_cannot_be_pretrained_is_said() -> None:
    with pytest.raises(InputError, match="no mask token"):
        pretrain(tiny_encoder("bert"), TEXTS)
    with pytest.raises(InputError, match="no token"):
        pretrain(encoder(), ["", ""])
    with pytest.raises(InputError, match="between 0 and 1"):
        pretrain(encoder(), TEXTS, mask_rate=1.0)


def test_a_new_model_is_decided_by_its_texts_and_seed(tmp_path: Path) -> None:
    assert encoder().fingerprint() == encoder().fingerprint()
    assert encoder().fingerprint() != encoder(seed=1).fingerprint()
    made = encoder()
    assert len(made.tokenizer.tokenizer) <= 300
    assert Encoder.load(made.save(tmp_path / "m")).fingerprint() == made.fingerprint()
    for wrong in ({"vocabulary": 261}, {"hidden": 30}, {"layers": 0}):
        with pytest.raises(InputError):
            encoder(**wrong)
    with pytest.raises(InputError, match="nothing to learn"):
        initialise([])


def test_the_layers_of_a_new_model_add_nothing_yet() -> None:
    new = encoder(backbone="gemma")
    words: Any = new.module["backbone"]
    tokens = new.tokenizer.pieces(TEXTS[:1], 32).values
    states = words.norm(words.embed_tokens(torch.as_tensor(tokens)))
    expected = torch.nn.functional.normalize(states.mean(0), dim=0).detach().numpy()
    np.testing.assert_allclose(new.encode(TEXTS[:1])[0], expected, atol=1e-5)
