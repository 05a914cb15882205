"""What of a text is pooled: with or without its prompt, through a latent attention or straight from the backbone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data import TextTable, tokens_of
from cosmith.data.tokens import RaggedTokens
from cosmith.errors import InputError
from cosmith.models import POOLINGS, Encoder, Pooling, pool, tiny_encoder
from cosmith.models.folder import LatentAttentionSpec
from cosmith.models.latent_attention import LatentAttention

TEXTS = ["how do I bake bread", "a", "the quick brown fox jumps over it", "how to bake", "fox " * 20, "b c"]
PROMPTS = {"query": "instruct: {task}\nquery: ", "document": "passage: "}
MODES = {"cls": "cls", "mean": "mean", "max": "max", "weighted_mean": "weightedmean", "last_token": "lasttoken",
         "mean_sqrt_len": "mean_sqrt_len_tokens"}  # fmt: skip


def prompted(family: Any, pooling: Pooling = "mean") -> Encoder:
    base = tiny_encoder(family, max_length=48)
    return Encoder.from_config(
        base.module["backbone"].config, base.tokenizer.tokenizer, pooling=pooling, prompts=PROMPTS, max_length=48
    )


def padded(encoder: Encoder) -> Encoder:
    other = encoder.copy()
    other.variable_length = False
    other.module["backbone"].set_attn_implementation("eager")  # type: ignore[operator]
    return other


def with_awake_latents(encoder: Encoder, **sizes: int) -> Encoder:
    """A latent attention whose last layers are not zero."""
    encoder.set_pooling(**({"latents": 12, "heads": 4} | sizes))  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in encoder.module["latent_attention"].parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)), alpha=0.3)
    return encoder


@pytest.mark.parametrize("family", ["bert", "qwen3"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_prompt_left_out_of_the_pooling_equals_sentence_transformers_both_ways(
    family: str, pooling: Pooling, tmp_path: Path
) -> None:
    library = pytest.importorskip("sentence_transformers")
    encoder = prompted(family, pooling)
    whole = encoder.encode(TEXTS, prompt="document")
    encoder.set_pooling(include_prompt=False).save(tmp_path / "ours")
    theirs = library.SentenceTransformer(str(tmp_path / "ours"), device="cpu")
    assert theirs[1].include_prompt is False
    expected = theirs.encode(TEXTS, prompt="passage: ")
    np.testing.assert_allclose(encoder.encode(TEXTS, prompt="document"), expected, atol=1e-5)
    np.testing.assert_allclose(padded(encoder).encode(TEXTS, prompt="document"), expected, atol=1e-5)
    if pooling not in ("last_token", "max"):  # which may well be that of the text's own tokens
        assert np.abs(whole - expected).max() > 1e-3
    filled = encoder.encode(TEXTS, prompt="query", instruction="find")
    np.testing.assert_allclose(filled, theirs.encode(TEXTS, prompt="instruct: find\nquery: "), atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS), theirs.encode(TEXTS), atol=1e-5)  # without a prompt
    theirs.save(str(tmp_path / "theirs"))
    again = Encoder.load(tmp_path / "theirs")
    assert again.fingerprint() == encoder.fingerprint()
    np.testing.assert_array_equal(again.encode(TEXTS, prompt="document"), encoder.encode(TEXTS, prompt="document"))


def test_pooling_by_hand() -> None:
    tokens = torch.tensor([[1.0], [2.0], [4.0], [8.0], [16.0], [32.0]])
    lengths, text, left_out = torch.tensor([4, 2]), torch.tensor([0, 0, 0, 0, 1, 1]), torch.tensor([1, 5])
    expected: dict[Pooling, list[float]] = {
        "cls": [2, 32], "last_token": [8, 32], "max": [8, 32], "mean": [14 / 3, 32], "mean_sqrt_len": [14 / 3**0.5, 32],
        "weighted_mean": [(2 * 2 + 3 * 4 + 4 * 8) / 9, 32],
    }  # fmt: skip
    for pooling, values in expected.items():
        found = pool(tokens, lengths, text, pooling, left_out)
        torch.testing.assert_close(found, torch.tensor(values, dtype=torch.float32)[:, None], msg=pooling)


def test_texts_that_are_all_prompt_keep_their_last_token() -> None:
    encoder = prompted("qwen3").set_pooling(include_prompt=False)
    long = "x" * 200
    for text in ("", long):
        vector = encoder.encode([text], prompt="query", instruction=long)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.data())
@settings(max_examples=30, deadline=None)
def test_leaving_tokens_out_equals_pooling_the_rest(lengths: list[int], data: st.DataObject) -> None:
    left_out = [data.draw(st.integers(0, length - 1)) for length in lengths]
    tokens = torch.randn(sum(lengths), 3, generator=torch.Generator().manual_seed(0))
    text = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    kept = torch.cat([torch.arange(n) >= skip for n, skip in zip(lengths, left_out, strict=True)])
    rest = torch.tensor(lengths) - torch.tensor(left_out)
    for pooling in POOLINGS:
        if pooling != "weighted_mean":  # its weights are by place
            found = pool(tokens, torch.tensor(lengths), text, pooling, torch.tensor(left_out))
            torch.testing.assert_close(found, pool(tokens[kept], rest, text[kept], pooling))


def test_prompt_lengths_stay_with_their_tokens_also_in_the_store(tmp_path: Path) -> None:
    encoder = prompted("bert").set_pooling(include_prompt=False)
    tokens = encoder.tokenize(TEXTS, prompt="document")
    assert tokens.prompt_lengths is not None
    assert set(tokens.prompt_lengths.tolist()) == {1 + len("passage:")}  # [CLS], and a token a character
    bare = encoder.tokenize(["x"])
    assert bare.prompt_lengths is None
    both = RaggedTokens.concatenate([bare, tokens.take([2])])
    assert both.prompt_lengths is not None
    assert both.prompt_lengths.tolist() == [0, tokens.prompt_lengths[2]]
    key = encoder.token_key(prompt="document")
    assert key != prompted("bert").token_key(prompt="document")
    table, _ = TextTable.from_texts(TEXTS)
    for folder in (None, tmp_path, tmp_path):  # in memory, written, read again
        kept = tokens_of(table, [1, 3], lambda texts: encoder.tokenize(texts, prompt="document"), key, folder)
        assert kept.prompt_lengths is not None
        assert kept.prompt_lengths.tolist() == [0, 9, 0, 9, 0, 0]


def test_latent_attention_by_hand() -> None:
    module = LatentAttention(LatentAttentionSpec(4, latents=3, heads=2))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    states = torch.randn(5, 4, generator=generator)
    query = torch.nn.functional.layer_norm(states, (4,), module.query_norm.weight, module.query_norm.bias)
    query = query @ module.query.weight.T
    key, value = (module.latents @ module.key_value.weight.T).split(4, dim=1)
    found = torch.cat(
        [
            torch.softmax(query[:, part] @ key[:, part].T / 2**0.5, 1) @ value[:, part]
            for part in (slice(2), slice(2, 4))
        ],
        dim=1,
    )
    attended = states + found @ module.output.weight.T
    normal = torch.nn.functional.layer_norm(attended, (4,), module.mlp_norm.weight, module.mlp_norm.bias)
    expected = attended + module.contract(torch.nn.functional.gelu(module.expand(normal)))
    torch.testing.assert_close(module(states), expected, atol=1e-5, rtol=1e-5)


def test_an_untrained_latent_attention_changes_nothing_and_can_learn() -> None:
    encoder = tiny_encoder("qwen3", pooling="mean").set_bidirectional()
    before = encoder.encode(TEXTS)
    encoder.set_pooling(latents=12, heads=4)
    np.testing.assert_allclose(encoder.encode(TEXTS), before, atol=1e-6)
    optimizer = torch.optim.SGD(encoder.module.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        encoder.embed(encoder.tokenize(TEXTS))[:, 0].sum().backward()
        optimizer.step()
    gradients = [p.grad for p in encoder.module["latent_attention"].parameters()]
    assert all(g is not None and g.abs().max() > 0 for g in gradients)


def test_latent_attention_is_the_same_flat_and_padded_and_travels_with_the_folder(tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    encoder = prompted("qwen3").set_bidirectional().set_pooling(include_prompt=False)
    plain = encoder.encode(TEXTS, prompt="document")
    with_awake_latents(encoder)
    vectors = encoder.encode(TEXTS, prompt="document")
    assert np.abs(vectors - plain).max() > 0.05
    np.testing.assert_allclose(padded(encoder).encode(TEXTS, prompt="document"), vectors, atol=2e-6)
    encoder.save(tmp_path / "model")
    loaded = Encoder.load(tmp_path / "model")
    assert loaded.fingerprint() == encoder.fingerprint()
    np.testing.assert_array_equal(loaded.encode(TEXTS, prompt="document"), vectors)
    listing = json.loads((tmp_path / "model" / "modules.json").read_text())
    assert [module["path"] for module in listing] == ["", "1_LatentAttention", "2_Pooling", "3_Normalize"]
    with pytest.raises(ValueError, match="trust_remote_code"):
        library.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    theirs = library.SentenceTransformer(str(tmp_path / "model"), device="cpu", trust_remote_code=True)
    np.testing.assert_allclose(theirs.encode(TEXTS, prompt="passage: "), vectors, atol=1e-5)
    theirs.save(str(tmp_path / "theirs"))
    np.testing.assert_array_equal(Encoder.load(tmp_path / "theirs").encode(TEXTS, prompt="document"), vectors)


def test_what_cannot_be_pooled_is_refused(tmp_path: Path) -> None:
    encoder = tiny_encoder("bert")
    with pytest.raises(InputError, match="Did you mean 'mean'"):
        encoder.set_pooling("meen")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="32 is no multiple of the 5 heads"):
        encoder.set_pooling(latents=4, heads=5)
    encoder.set_pooling(latents=4).save(tmp_path / "model")
    weights = tmp_path / "model" / "1_LatentAttention" / "model.safetensors"
    weights.write_bytes(b"torn")
    with pytest.raises(InputError, match=r"weights that config\.json describes"):
        Encoder.load(tmp_path / "model")
    weights.unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        Encoder.load(tmp_path / "model")
