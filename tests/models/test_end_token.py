"""A token behind every text, in the tokenizer itself."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from tokenizers import processors

from cosmith.errors import InputError
from cosmith.models import Encoder, append_end_token, initialise_static, tiny_encoder

SPECIAL = ["<unk>", "<s>", "</s>", "<pad>", "<|endoftext|>", "<|im_end|>", "<bos>", "<eos>"]
VOCABULARY = {token: number for number, token in enumerate([*SPECIAL, *"abcdefghijklmnopqrstuvwxyz▁Ġ"])}
TEXTS = ["ab", "a much longer text that has to be cut somewhere", "x", "the vector of a text is that of its end"]
QWEN = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
START = processors.TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 2)])
BYTES = processors.ByteLevel(trim_offsets=False)


def decoder(tokenizer: Any, max_length: int = 16) -> Encoder:
    config = tiny_encoder("qwen3", max_length=64).module["backbone"].config
    return Encoder.from_config(config, tokenizer, pooling="last_token", max_length=max_length)


def plain(rule: Any = BYTES) -> Any:
    tokenizer = copy.deepcopy(tiny_encoder("qwen3").tokenizer.tokenizer)
    tokenizer.backend_tokenizer.post_processor = rule
    return tokenizer


@pytest.mark.parametrize(
    ("kind", "options", "token", "around"),
    [
        ("Qwen2TokenizerFast", QWEN, "<|endoftext|>", ([], [4])),
        ("Qwen2TokenizerFast", QWEN, "auto", ([], [5])),
        ("LlamaTokenizerFast", {}, "auto", ([], [2])),
        ("LlamaTokenizerFast", {"add_bos_token": True}, "auto", ([1], [2])),
        ("GemmaTokenizerFast", {}, "<eos>", ([], [7])),
    ],
)
def test_each_family_keeps_the_token_when_saved_and_sentence_transformers_reads_it(
    kind: str, options: dict[str, Any], token: str, around: tuple[list[int], list[int]], tmp_path: Path
) -> None:
    encoder = decoder(getattr(transformers, kind)(vocab=VOCABULARY, merges=[], **options))
    before = encoder.tokenizer(["ab"], 16).values.tolist()
    assert append_end_token(encoder, token) is encoder
    ids = encoder.tokenizer(["ab"], 16).values.tolist()
    assert ids == [*before, *around[1]]
    assert ids[: len(around[0])] == around[0]
    folder = encoder.save(tmp_path / "model")
    loaded = Encoder.load(folder)
    assert loaded.fingerprint() == encoder.fingerprint()
    assert loaded.tokenizer.closing == around[1]
    vectors = encoder.encode(TEXTS)
    np.testing.assert_array_equal(loaded.encode(TEXTS), vectors)
    theirs = SentenceTransformer(str(folder), device="cpu")
    np.testing.assert_allclose(theirs.encode(TEXTS, normalize_embeddings=True), vectors, atol=2e-6)


@pytest.mark.parametrize("rule", [BYTES, START, processors.Sequence([BYTES, START]), processors.Sequence([BYTES])])
def test_the_token_joins_whatever_the_tokenizer_does_already(rule: Any) -> None:
    encoder = decoder(plain(rule))
    words = encoder.tokenizer
    before = words(TEXTS, 64)
    end = words.tokenizer.eos_token_id
    append_end_token(encoder)
    tokens = encoder.tokenizer(TEXTS, 64)
    for number in range(len(TEXTS)):
        old, new = (each.values[each.offsets[number] : each.offsets[number + 1]] for each in (before, tokens))
        assert new.tolist() == [*old.tolist(), end]
    assert words.closing == [], "the tokenizer that was given is not changed"


@settings(max_examples=25)
@given(st.text(alphabet="ab xyz", max_size=40), st.integers(3, 20))
def test_a_text_that_is_cut_keeps_it(text: str, limit: int) -> None:
    ids = append_end_token(decoder(plain(START))).tokenizer([text], limit).values.tolist()
    assert len(ids) <= limit
    assert (ids[0], ids[-1]) == (2, 3)


def test_doing_it_twice_changes_nothing_and_what_cannot_be_is_told() -> None:
    encoder = append_end_token(decoder(plain()))
    once = encoder.fingerprint()
    assert append_end_token(encoder, "[SEP]").fingerprint() == once
    with pytest.raises(InputError, match=r"appends '\[SEP\]' to every text already") as caught:
        append_end_token(encoder, "[CLS]")
    assert caught.value.field == "end_token"
    with pytest.raises(InputError, match="'nothing' is no special token") as caught:
        append_end_token(decoder(plain()), "nothing")
    assert "[SEP]" in str(caught.value.remedy)
    without = plain()
    without.eos_token = None
    with pytest.raises(InputError, match="no end-of-sequence token"):
        append_end_token(decoder(without))
    with pytest.raises(InputError, match="static"):
        append_end_token(initialise_static(plain(), dimension=8))


def test_a_tokenizer_that_would_lose_the_token_when_loaded_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = plain()
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: tokenizer)
    with pytest.raises(InputError, match="does not keep an appended token"):
        append_end_token(decoder(tokenizer))
