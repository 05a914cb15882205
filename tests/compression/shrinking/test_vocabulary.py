"""Fewer tokens: texts of the corpus are cut as before, others are cut, and sentence-transformers agrees."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from cosmith.compression import prune_vocabulary
from cosmith.compression.shrinking.tokenizer_rules import vocabulary_of
from cosmith.errors import InputError
from cosmith.models import Encoder, distil_static, tiny_encoder, train_tokenizer

LEARNT = [
    f"{a}{ending} {b} {c}s and the {a}, un{b}ly, {c}{number}" for number, (a, b, c, ending) in enumerate(
        (a, b, c, ending) for a in ("walk", "play", "résumé", "Straße") for b in ("quick", "slow", "привет")
        for c in ("house", "stone", "東京") for ending in ("ing", "ed", "er")
    )
]  # fmt: skip
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
KINDS = ("wordpiece", "byte-level-bpe", "byte-fallback-bpe", "unigram")
TEXTS = st.lists(
    st.text("abdeghiklnoprstuwyéßпривет東京 ,.!☃", max_size=30) | st.sampled_from(LEARNT), min_size=1, max_size=5
)


@cache
def tokenizer_of(kind: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    if kind == "byte-level-bpe":
        return train_tokenizer(LEARNT, 600)
    made, trainer = _untrained(kind)
    made.train_from_iterator(LEARNT, trainer)
    if kind == "byte-fallback-bpe":  # as those that were made of a SentencePiece model, where a token has many merges
        rules = json.loads(made.to_str())
        vocabulary = rules["model"]["vocab"]
        for byte in range(256):
            vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
        split = [
            [token[:cut], token[cut:]] for token in vocabulary for cut in range(1, len(token))
            if token[:cut] in vocabulary and token[cut:] in vocabulary and token not in SPECIAL and token[:3] != "<0x"
        ]  # fmt: skip
        rules["model"]["merges"] = sorted(split, key=lambda pair: vocabulary["".join(pair)])
        rules["model"] |= {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}
        made = Tokenizer.from_str(json.dumps(rules))
    ends = [(token, made.token_to_id(token)) for token in ("<s>", "</s>")]
    if kind == "unigram":
        made.post_processor = processors.RobertaProcessing(ends[1], ends[0])
    else:
        made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    made.add_special_tokens(["<|added|>"])
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=made, bos_token="<s>", pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
                cls_token="<s>", sep_token="</s>", mask_token="<mask>")  # fmt: skip


def _untrained(kind: str) -> tuple[Tokenizer, Any]:
    if kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="<unk>"))
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        return made, trainers.WordPieceTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False)
    made = Tokenizer(models.BPE(unk_token="<unk>") if kind != "unigram" else models.Unigram())
    made.pre_tokenizer, made.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    if kind == "unigram":
        made.normalizer = normalizers.NFKC()
        return made, trainers.UnigramTrainer(
            vocab_size=200, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
        )
    return made, trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, show_progress=False)


@cache
def encoder_of(kind: str, family: str = "bert") -> Encoder:
    words = tokenizer_of(kind)
    config = {
        "model_type": family, "vocab_size": len(words) + 3, "hidden_size": 16, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 70, "num_hidden_layers": 2,
        "pad_token_id": words.pad_token_id, "bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id,
    } | ({"num_key_value_heads": 2, "head_dim": 8} if family == "qwen3" else {})  # fmt: skip
    return Encoder.from_config(config, words, prompts={"query": "walked the: "}, max_length=64)


def tokens_of(encoder: Encoder, text: str) -> list[str]:
    words = encoder.tokenizer.tokenizer
    tokens: list[str] = words.convert_ids_to_tokens(words.backend_tokenizer.encode(text).ids)
    return tokens


@pytest.mark.parametrize("kind", KINDS)
@given(corpus=TEXTS, others=TEXTS)
@settings(max_examples=25)
def test_the_corpus_is_cut_as_before_and_other_texts_are_cut(kind: str, corpus: list[str], others: list[str]) -> None:
    encoder = encoder_of(kind)
    pruned, told = prune_vocabulary(encoder, corpus)
    for text in corpus:
        assert tokens_of(pruned, text) == tokens_of(encoder, text)
        assert tokens_of(pruned, f"walked the: {text}") == tokens_of(encoder, f"walked the: {text}")
    np.testing.assert_allclose(pruned.encode(corpus), encoder.encode(corpus), atol=1e-6)
    np.testing.assert_allclose(pruned.encode(corpus, prompt="query"), encoder.encode(corpus, prompt="query"), atol=1e-6)
    for text in others:
        before, after = tokens_of(encoder, text), tokens_of(pruned, text)
        assert len(after) >= len(before)
        assert after.count("<unk>") <= before.count("<unk>") + ("☃" in text)
    assert told.after == len(pruned.tokenizer.tokenizer) <= told.before
    assert np.isfinite(pruned.encode(others)).all()


@pytest.mark.parametrize(("kind", "family"), [(kind, "bert") for kind in KINDS] + [("unigram", "xlm-roberta"),
                                              ("byte-level-bpe", "qwen3"), ("byte-fallback-bpe", "llama")])  # fmt: skip
def test_sentence_transformers_loads_it_and_agrees(kind: str, family: str, tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    encoder = encoder_of(kind, family)
    texts = LEARNT[::5]
    pruned, told = prune_vocabulary(encoder, texts)
    assert told.after < told.before
    folder = pruned.save(tmp_path / "model")
    assert Encoder.load(folder).fingerprint() == pruned.fingerprint()
    theirs = library.SentenceTransformer(str(folder), device="cpu")
    np.testing.assert_allclose(theirs.encode(texts), encoder.encode(texts), atol=1e-5)
    np.testing.assert_allclose(theirs.encode(texts, prompt_name="query"), encoder.encode(texts, prompt="query"),
                               atol=1e-5)  # fmt: skip
    config = json.loads((folder / "config.json").read_text())
    words = pruned.tokenizer.tokenizer
    assert config["vocab_size"] == len(words) == told.after
    assert config["pad_token_id"] == words.pad_token_id
    assert words.convert_ids_to_tokens(words.pad_token_id) == tokenizer_of(kind).pad_token


def test_a_static_model_is_pruned_likewise(tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    static = distil_static(encoder_of("wordpiece"), dimension=8)
    pruned, told = prune_vocabulary(static, LEARNT[:9])
    assert told.after < told.before
    np.testing.assert_allclose(pruned.encode(LEARNT[:9]), static.encode(LEARNT[:9]), atol=1e-6)
    theirs = library.SentenceTransformer(str(pruned.save(tmp_path / "model")), device="cpu")
    np.testing.assert_allclose(theirs.encode(LEARNT[:9]), static.encode(LEARNT[:9]), atol=1e-6)


def test_what_texts_to_come_may_expect_is_measured_without_the_held_out_ones() -> None:
    encoder = encoder_of("wordpiece")
    _, same = prune_vocabulary(encoder, [f"{text} {number % 7}" for text in LEARNT for number in range(20)])
    assert (same.held_out, same.differing, same.longer) == (38, 0, 1.0)  # 756 distinct ones of one kind
    _, told = prune_vocabulary(encoder, ["walking", "Straßeer quick"], seed=1)
    assert (told.held_out, told.differing) == (1, 1)
    assert told.longer > 1


def test_what_cannot_be_pruned_is_refused() -> None:
    with pytest.raises(InputError, match=r"texts.*are none"):
        prune_vocabulary(tiny_encoder("bert"), [])
    with pytest.raises(InputError, match="is of the kind None"):
        vocabulary_of({"model": {}})
    with pytest.raises(InputError, match="marks inside of words"):
        vocabulary_of({"model": {"type": "BPE", "continuing_subword_prefix": "##"}})
