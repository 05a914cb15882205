"""Cross-encoders: the scores of sentence-transformers and transformers, pairs of any length, folders of both forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.errors import InputError
from cosmith.models import CrossEncoder, Encoder, tiny_cross_encoder, tiny_encoder
from cosmith.models.cross_encoder.folder import WordScore
from cosmith.models.cross_encoder.pairs import SegmentTokenizer, longest_first
from cosmith.models.tiny import Family

QUERIES = ["where does the cat sleep", "red", "what is a dog", "red", "how long is a very long day in june"]
DOCUMENTS = ["in the house", "a colour", "an animal that barks at the cat and at the moon", "a colour",
             "it is long, " * 12]  # fmt: skip


def sharp(model: CrossEncoder) -> CrossEncoder:
    """With weights large enough that scores differ by more than rounding."""
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.mul_(6 if parameter.ndim > 1 else 1)
    return model


def theirs(folder: Path) -> Any:
    from sentence_transformers import CrossEncoder as Theirs

    return Theirs(str(folder), device="cpu")


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_saved_folders_score_alike_in_sentence_transformers(family: Family, tmp_path: Path) -> None:
    made = sharp(tiny_cross_encoder(family))
    ours = made.score(QUERIES, DOCUMENTS)
    assert made.tokenize(list(zip(QUERIES, DOCUMENTS, strict=True))).tokens.truncated.any()
    loaded = CrossEncoder.load(made.save(tmp_path / "m"))
    assert loaded.fingerprint() == made.fingerprint()
    np.testing.assert_allclose(loaded.score(QUERIES, DOCUMENTS), ours, atol=1e-6)
    pairs = list(zip(QUERIES, DOCUMENTS, strict=True))
    np.testing.assert_allclose(ours, theirs(tmp_path / "m").predict(pairs), atol=1e-5)
    logits = made.score(QUERIES, DOCUMENTS, activated=False)
    np.testing.assert_allclose(
        logits, theirs(tmp_path / "m").predict(pairs, activation_fn=torch.nn.Identity()), atol=1e-4
    )
    assert np.ptp(ours) > 0.05  # else the test could not fail


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_folders_of_sentence_transformers_score_alike_here(family: Family, tmp_path: Path) -> None:
    sharp(tiny_cross_encoder(family, seed=3)).save(tmp_path / "made")
    model = theirs(tmp_path / "made")
    model.activation_fn = torch.nn.Identity()
    model.save_pretrained(str(tmp_path / "theirs"))
    ours = CrossEncoder.load(tmp_path / "theirs")
    assert ours.spec.activation == "Identity"
    pairs = list(zip(QUERIES, DOCUMENTS, strict=True))
    np.testing.assert_allclose(ours.score(QUERIES, DOCUMENTS), model.predict(pairs), atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "roberta", "pad_token_id": 1, "type_vocab_size": 1, "max_position_embeddings": 66},
        {"model_type": "xlm-roberta", "pad_token_id": 1, "type_vocab_size": 1, "max_position_embeddings": 66},
        {"model_type": "distilbert", "dim": 32, "hidden_dim": 64, "n_layers": 2, "n_heads": 4, "pad_token_id": 0},
        {"model_type": "electra", "embedding_size": 32, "pad_token_id": 0},
        {"model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0},
        {"model_type": "llama", "num_key_value_heads": 2, "pad_token_id": 3},  # also the closing token
    ],
)  # fmt: skip
def test_every_family_gives_the_logits_of_transformers(config: dict[str, Any]) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    base = tiny_encoder("bert")
    config = {"vocab_size": len(base.tokenizer.tokenizer), "max_position_embeddings": 64} | sizes | config
    if config["model_type"] == "distilbert":
        config = {key: value for key, value in config.items() if key not in sizes}
    encoder = Encoder.from_config(config, base.tokenizer.tokenizer, seed=1)
    made = sharp(CrossEncoder.from_encoder(encoder, seed=2))
    pairs = made.tokenize(list(zip(QUERIES, DOCUMENTS, strict=True)))
    with torch.no_grad():
        got = made.logits(pairs)
        for number in range(len(pairs)):
            one = pairs.take(np.array([number]))
            arguments = {"input_ids": torch.from_numpy(one.tokens.values.astype(np.int64))[None]}
            if config["model_type"] == "electra":  # whose tokenizer tells segments apart, as the config does
                arguments["token_type_ids"] = torch.from_numpy(one.segments)[None]
            expected = made._model(**arguments).logits.reshape(())
            assert float(got[number]) == pytest.approx(float(expected), abs=1e-5)
    assert np.ptp(got.numpy()) > 0.01


def test_pairs_are_tokenised_as_transformers_does() -> None:
    tokenizer = tiny_cross_encoder("bert").tokenizer.tokenizer
    ours = SegmentTokenizer(tokenizer)(list(zip(QUERIES, DOCUMENTS, strict=True)), 40, "")
    given_ = tokenizer(QUERIES, DOCUMENTS, truncation="longest_first", max_length=40)
    for number, (start, end) in enumerate(zip(ours.tokens.offsets[:-1], ours.tokens.offsets[1:], strict=True)):
        assert ours.tokens.values[start:end].tolist() == given_["input_ids"][number]
        assert ours.segments[start:end].tolist() == given_["token_type_ids"][number]
    assert len(set(ours.segments.tolist())) == 2


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1), st.integers(2, 40))
@settings(deadline=None, max_examples=60)
def test_the_longer_text_is_cut_first(lengths: list[tuple[int, int]], room: int) -> None:
    kept = longest_first(np.array(lengths), room)
    for (first, second), (left, right) in zip(lengths, kept.tolist(), strict=True):
        expected = [first, second]
        while sum(expected) > room:  # a token at a time off the longer one; of equal ones the first loses it
            expected[0 if expected[0] >= expected[1] else 1] -= 1
        assert (left, right) == tuple(expected) or (left + right == room and abs(left - right) == 1)


def test_a_language_model_scores_by_the_words_it_would_write_next(tmp_path: Path) -> None:
    made = sharp(tiny_cross_encoder("qwen3"))
    tokenizer = made.tokenizer.tokenizer
    text = tokenizer.apply_chat_template(
        [{"role": "system", "content": "find cats"}, {"role": "query", "content": "red"},
         {"role": "document", "content": "a colour"}], tokenize=False,
    )  # fmt: skip
    assert "<Instruct>: find cats\n<Query>: red\n<Document>: a colour<|im_end|>" in text
    assert text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = made._model(input_ids=ids).logits[0, -1].log_softmax(0)
    yes, no = (logits[tokenizer.convert_tokens_to_ids(word)] for word in ("yes", "no"))
    expected = float(yes.exp() / (yes.exp() + no.exp()))
    assert made.score(["red"], ["a colour"], instruction="find cats")[0] == pytest.approx(expected, abs=1e-6)
    assert made.score(["red"], ["a colour"])[0] != pytest.approx(expected, abs=1e-6)

    made.save(tmp_path / "m")
    (tmp_path / "m" / "modules.json").unlink()  # a bare folder, as Qwen's own
    assert CrossEncoder.load(tmp_path / "m").fingerprint() == made.fingerprint()


def test_too_long_a_document_leaves_the_end_of_the_template() -> None:
    made = tiny_cross_encoder("qwen3")
    pairs = made.tokenize([("red", "a colour " * 200)])
    closing = made.tokenizer.tokenizer("<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
                                       add_special_tokens=False)["input_ids"]  # fmt: skip
    assert len(pairs.tokens.values) == made.max_length
    assert pairs.tokens.values[-len(closing) + 1 :].tolist() == closing[1:]  # the first is glued to the last word
    assert bool(pairs.tokens.truncated[0])


@pytest.mark.parametrize("family", ["bert", "qwen3"])
def test_micro_batches_and_order_change_nothing(family: Family) -> None:
    made = sharp(tiny_cross_encoder(family))
    whole = made.score(QUERIES, DOCUMENTS)
    np.testing.assert_allclose(made.score(QUERIES, DOCUMENTS, token_budget=1), whole, atol=1e-6)
    np.testing.assert_allclose(made.score(QUERIES[::-1], DOCUMENTS[::-1])[::-1], whole, atol=1e-6)
    assert whole[1] == whole[3]
    assert made.score([], []).shape == (0,)


def test_documents_are_ranked() -> None:
    made = sharp(tiny_cross_encoder("bert"))
    ranked = made.rank("red", DOCUMENTS)
    scores = made.score(["red"] * 5, DOCUMENTS)
    assert [number for number, _ in ranked] == sorted(range(5), key=lambda number: (-scores[number], number))
    assert made.rank("red", DOCUMENTS, top=2) == ranked[:2]


def test_a_new_head_is_decided_by_its_seed_and_the_backbone_is_the_encoders() -> None:
    encoder = tiny_encoder("bert")
    first, again, other = (CrossEncoder.from_encoder(encoder, seed=seed) for seed in (0, 0, 1))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    ours, backbone = first._model.base_model.state_dict(), encoder.module["backbone"].state_dict()
    assert all(torch.equal(ours[name], value) for name, value in backbone.items())
    before = encoder.fingerprint()
    with torch.no_grad():
        next(iter(first.module.parameters())).add_(1)
    assert encoder.fingerprint() == before


def test_a_copy_is_independent_and_its_module_is_its_model() -> None:
    made = tiny_cross_encoder("bert")
    other = made.copy()
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.add_(0.1)
    assert not np.allclose(other.score(QUERIES, DOCUMENTS), made.score(QUERIES, DOCUMENTS))
    assert made.fingerprint() == tiny_cross_encoder("bert").fingerprint()


def test_what_is_no_cross_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no score for a pair"):
        CrossEncoder.load(tiny_encoder("bert").save(tmp_path / "encoder"))
    with pytest.raises(InputError, match=r"config\.json"):
        CrossEncoder.load(tmp_path)
    made = tiny_cross_encoder("bert")
    folder = made.save(tmp_path / "m")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}})
    )
    with pytest.raises(InputError, match=r"another size|labels"):
        CrossEncoder.load(folder)
    with pytest.raises(InputError, match="equally long"):
        made.score(["a"], ["b", "c"])
    with pytest.raises(InputError, match="must be more than 4"):
        made.score(["a"], ["b"], max_length=4)
    with pytest.raises(InputError, match="the template alone"):
        tiny_cross_encoder("qwen3").score(["a"], ["b"], max_length=100)
    with pytest.raises(InputError, match="a model"):
        made.save(Path(__file__).parent)
    assert tiny_cross_encoder("qwen3").spec.words == WordScore(*(len(made.tokenizer.tokenizer) + n for n in (0, 1)))
