"""A decoder that sees the whole text guesses hidden tokens from the state before them (LLM2Vec)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosmith.errors import InputError
from cosmith.models import Encoder, tiny_encoder
from cosmith.training import TrainingSettings
from cosmith.training.health import read_history
from cosmith.training.mixing import key_of
from cosmith.training.pretraining import mask_tokens, pretrain
from cosmith.training.pretraining.language_head import DecoderHead
from cosmith.training.pretraining.masked_language import MaskedLanguageJob, prepare
from cosmith.training.step import add_gradients
from cosmith.training.tuning import trainable

TEXTS = [f"after {['monday', 'friday'][n % 2]} the {['cat', 'dog', 'cow'][n % 3]} sleeps until noon" for n in range(60)]
SETTINGS = TrainingSettings(steps=30, batch_size=16, learning_rate=5e-3, precision="float32", micro_batch_tokens=200)


def decoder(bidirectional: bool = True, tied: bool = True) -> Encoder:
    made = tiny_encoder("qwen3")
    made.module["backbone"].config.tie_word_embeddings = tied
    return made.set_bidirectional() if bidirectional else made


def language_model(family: str, hidden: int = 16) -> Any:
    """A tiny decoder whose head is not tied to its input embeddings."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {"vocab_size": len(tiny_encoder("qwen3").tokenizer.tokenizer), "hidden_size": hidden, "head_dim": 8,
             "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 32,
             "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None,
             "tie_word_embeddings": False}  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **sizes), dtype=torch.float32)


def loaded(family: str, folder: Path, **options: Any) -> Encoder:
    """That decoder as an encoder, from the folder that transformers writes of it."""
    language_model(family).save_pretrained(folder, safe_serialization=True, **options)
    tokenizer = tiny_encoder("qwen3").tokenizer.tokenizer
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(folder)
    return Encoder.load(folder, bidirectional=True)


def test_a_step_is_what_transformers_makes_of_it() -> None:
    """The same masked texts through transformers' own decoder with its head, the labels one place earlier."""
    from transformers import Qwen3ForCausalLM

    job = prepare(decoder(), TEXTS, replace(SETTINGS, batch_size=8), 0.3)
    assert job.facts == {"head": "tied"}
    theirs = Qwen3ForCausalLM(job.encoder.module["backbone"].config)
    theirs.model.load_state_dict(job.encoder.module["backbone"].state_dict())
    theirs.tie_weights()
    check_step(job, theirs)


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen3"])
def test_a_decoder_with_words_of_its_own_goes_on_with_the_head_of_its_folder(family: str, tmp_path: Path) -> None:
    encoder = loaded(family, tmp_path / "whole", max_shard_size="8KB" if family == "llama" else "1GB")
    assert (tmp_path / "whole" / "model.safetensors").is_file() is (family != "llama")
    job = prepare(encoder, TEXTS, replace(SETTINGS, batch_size=8), 0.3)
    assert job.facts == {"head": "read"}
    theirs = language_model(family)
    theirs.config.is_causal = theirs.model.config.is_causal = False
    check_step(job, theirs)
    assert isinstance(job.head, DecoderHead)
    assert job.head.weight is not None
    torch.testing.assert_close(job.head.weight.grad, theirs.lm_head.weight.grad, rtol=1e-4, atol=1e-6)
    encoder.save(tmp_path / "bare")  # an embedding model has no head
    bare = Encoder.load(tmp_path / "bare")
    assert prepare(bare, TEXTS, SETTINGS, 0.3).facts == {"head": "new"}
    named = prepare(bare, TEXTS, SETTINGS, 0.3, tmp_path / "whole")
    assert named.facts == {"head": "read"}
    assert torch.equal(named.head.state_dict()["weight"], theirs.lm_head.weight)


def check_step(job: MaskedLanguageJob, theirs: Any) -> None:
    """Loss and gradients of the first step are those of transformers' model."""
    job.module.train()
    loss = add_gradients(job, 0).loss
    tokenizer = job.encoder.tokenizer.tokenizer
    masked = mask_tokens(
        job.pieces.take(job.plan.at(0).rows), special=np.array(sorted(tokenizer.all_special_ids)),
        mask=job.objective.mask, vocabulary=len(tokenizer), rate=0.3, seed=key_of(0, 0, 7), first=False,
    )  # fmt: skip
    assert not set(masked.positions) & set(masked.tokens.offsets[:-1])
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


def test_a_stopped_run_goes_on_with_its_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = loaded("mistral", tmp_path / "whole")
    settings = replace(SETTINGS, steps=5, checkpoint_every_steps=2)
    undisturbed = pretrain(encoder, TEXTS, settings)
    from cosmith.training import loop

    take, calls = loop._take_step, []

    def failing(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("the machine went away")
        return take(*arguments)

    monkeypatch.setattr(loop, "_take_step", failing)
    with pytest.raises(RuntimeError):
        pretrain(encoder, TEXTS, settings, folder=tmp_path / "run")
    monkeypatch.undo()
    resumed = pretrain(encoder, TEXTS, settings, folder=tmp_path / "run")
    assert resumed.fingerprint() == undisturbed.fingerprint()
    assert set(resumed.module.state_dict()) == set(encoder.module.state_dict())  # the head is gone
    assert read_history(tmp_path / "run").facts["head"] == "read"
    fresh = tmp_path / "bare"
    encoder.save(fresh)
    with pytest.raises(InputError, match="head"):
        pretrain(Encoder.load(fresh), TEXTS, settings, folder=tmp_path / "run")


def test_an_adapter_learns_beside_a_head_that_stays(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    encoder = loaded("llama", tmp_path / "whole")
    settings = replace(SETTINGS, adapter="lora", adapter_rank=2, gradient_checkpointing=True)
    job = prepare(trainable(encoder.copy(), settings), TEXTS, settings, 0.3)
    learning = {name for name, value in job.module.named_parameters() if value.requires_grad}
    assert learning
    assert all("lora_" in name for name in learning)
    adapted = pretrain(encoder, TEXTS, settings, folder=tmp_path / "run")
    losses = read_history(tmp_path / "run").series("loss")[1]
    assert np.mean(losses[-5:]) < losses[0] - 0.05
    before, after = encoder.module.state_dict(), adapted.module.state_dict()
    assert before.keys() == after.keys()  # merged
    assert all(("_proj." in name) is not torch.equal(before[name], after[name]) for name in before)


def test_what_cannot_be_pretrained_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="see only what stands before them"):
        pretrain(decoder(bidirectional=False), TEXTS)
    language_model("qwen3").save_pretrained(folder := tmp_path / "narrow", safe_serialization=True)
    decoder(tied=False).tokenizer.tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match=r"an lm_head\.weight of the shape") as error:
        pretrain(decoder(tied=False), TEXTS, head=folder)
    assert error.value.field == "head"
    decoder(tied=False).save(tmp_path / "bare")
    with pytest.raises(InputError, match=r"no lm_head\.weight"):
        pretrain(decoder(tied=False), TEXTS, head=tmp_path / "bare")
