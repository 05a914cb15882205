"""A decoder that sees the whole text guesses hidden tokens from the state before them (LLM2Vec)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cosmith.errors import InputError
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import TrainingSettings
from cosmith.training.health import read_history
from cosmith.training.mixing import key_of
from cosmith.training.pretraining import mask_tokens, pretrain
from cosmith.training.pretraining.masked_language import prepare
from cosmith.training.step import add_gradients

TEXTS = [f"after {['monday', 'friday'][n % 2]} the {['cat', 'dog', 'cow'][n % 3]} sleeps until noon" for n in range(60)]
SETTINGS = TrainingSettings(steps=30, batch_size=16, learning_rate=5e-3, precision="float32", micro_batch_tokens=200)


def decoder(bidirectional: bool = True, tied: bool = True) -> Encoder:
    made = tiny_encoder("qwen3")
    made.module["backbone"].config.tie_word_embeddings = tied
    return made.set_bidirectional() if bidirectional else made


def test_a_step_is_what_transformers_makes_of_it() -> None:
    """The same masked texts through transformers' own decoder with its head, the labels one place earlier."""
    from transformers import Qwen3ForCausalLM

    job = prepare(decoder(), TEXTS, replace(SETTINGS, batch_size=8), 0.3)
    job.module.train()
    loss = add_gradients(job, 0).loss
    tokenizer = job.encoder.tokenizer.tokenizer
    masked = mask_tokens(
        job.pieces.take(job.plan.at(0).rows), special=np.array(sorted(tokenizer.all_special_ids)),
        mask=job.objective.mask, vocabulary=len(tokenizer), rate=0.3, seed=key_of(0, 0, 7), first=False,
    )  # fmt: skip
    assert not set(masked.positions) & set(masked.tokens.offsets[:-1])
    theirs = Qwen3ForCausalLM(job.encoder.module["backbone"].config)
    theirs.model.load_state_dict(job.encoder.module["backbone"].state_dict())
    theirs.tie_weights()
    theirs.set_attn_implementation("sdpa")
    total = torch.zeros(())
    for start, stop in zip(masked.tokens.offsets[:-1], masked.tokens.offsets[1:], strict=True):
        ids = torch.from_numpy(masked.tokens.values[start:stop].astype(np.int64))[None]
        inside = (masked.positions >= start) & (masked.positions < stop)
        logits = theirs(input_ids=ids).logits[0, masked.positions[inside] - start - 1]
        labels = torch.from_numpy(masked.labels[inside])
        total = total + torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    expected = total / len(masked.labels)
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for name in ("embed_tokens.weight", "layers.0.self_attn.v_proj.weight"):
        ours = job.encoder.module["backbone"].get_parameter(name).grad
        torch.testing.assert_close(ours, theirs.model.get_parameter(name).grad, rtol=1e-4, atol=1e-6)


def test_the_loss_falls_and_the_switch_stays(tmp_path: Path) -> None:
    adapted = pretrain(decoder(), TEXTS, SETTINGS, mask_rate=0.2, folder=tmp_path)
    losses = read_history(tmp_path).series("loss")[1]
    assert np.mean(losses[-5:]) < 0.6 * losses[0]
    assert adapted.module["backbone"].config.is_causal is False


def test_what_cannot_be_pretrained_is_said() -> None:
    with pytest.raises(InputError, match="see only what stands before them"):
        pretrain(decoder(bidirectional=False), TEXTS)
    with pytest.raises(InputError, match="tie_word_embeddings"):
        pretrain(decoder(tied=False), TEXTS)
