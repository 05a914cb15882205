"""Late chunking against the same sums written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cosmith.data.chunking import Chunking, chunk_texts
from cosmith.errors import InputError
from cosmith.models import Encoder, initialise_static, tiny_encoder

TEXT = "berlin is a city. it has parks."
SPANS = [(0, 17), (18, 31)]


def states_by_hand(encoder: Encoder, ids: list[int]) -> torch.Tensor:
    """The last hidden states of one text, by transformers alone: ``[tokens, hidden]``."""
    backbone = encoder.module["backbone"]
    with torch.no_grad():
        ones = torch.ones(1, len(ids), dtype=torch.long)
        found: torch.Tensor = backbone(input_ids=torch.tensor([ids]), attention_mask=ones).last_hidden_state[0]
    return found


def by_hand(encoder: Encoder, text: str, spans: list[tuple[int, int]], prompt: str = "") -> np.ndarray:
    """Chunks of a text that fits: the mean of the states of the tokens in each span."""
    words = encoder.tokenizer.tokenizer
    read = words(prompt + text, return_offsets_mapping=True)
    states = states_by_hand(encoder, read["input_ids"])
    vectors = []
    for start, stop in spans:
        inside = [
            place
            for place, (begin, end) in enumerate(read["offset_mapping"])
            if end > begin and end - len(prompt) > start and begin - len(prompt) < stop
        ]
        vectors.append(states[inside].mean(0))
    return torch.nn.functional.normalize(torch.stack(vectors), dim=-1).numpy()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return tiny_encoder("bert")


def test_a_chunk_is_the_mean_of_its_tokens_in_the_whole_text(encoder: Encoder) -> None:
    vectors = encoder.encode_chunks([TEXT], [SPANS])
    np.testing.assert_allclose(vectors, by_hand(encoder, TEXT, SPANS), atol=1e-6)
    alone = encoder.encode([TEXT[start:stop] for start, stop in SPANS])
    assert np.abs(vectors - alone).max() > 1e-3  # they know the text around them


def test_chunks_may_overlap_be_cut_within_words_and_be_of_many_texts(encoder: Encoder) -> None:
    texts = [TEXT, "short", TEXT[:18]]
    spans = [[(0, 31), (5, 20), (4, 5)], [], [(1, 3)]]
    vectors = encoder.encode_chunks(texts, spans, token_budget=40)
    expected = [by_hand(encoder, text, each) for text, each in zip(texts, spans, strict=True) if each]
    np.testing.assert_allclose(vectors, np.concatenate(expected), atol=1e-6)
    assert encoder.encode_chunks([], []).shape == (0, 32)
    assert encoder.encode_chunks([TEXT], [[]]).shape == (0, 32)


def test_the_prompt_is_read_but_belongs_to_no_chunk(encoder: Encoder) -> None:
    prompted = encoder.copy().set_prompts({"document": "passage: "})
    vectors = prompted.encode_chunks([TEXT], [SPANS], prompt="document")
    np.testing.assert_allclose(vectors, by_hand(prompted, TEXT, SPANS, "passage: "), atol=1e-6)
    assert np.abs(vectors - encoder.encode_chunks([TEXT], [SPANS])).max() > 1e-3


def test_a_long_text_is_read_in_windows_that_overlap() -> None:
    """Every token's state is that of the first window that holds it (arXiv:2409.04701, algorithm 2)."""
    encoder = tiny_encoder("bert", max_length=12)  # room for ten tokens of a text
    text = "abcdefghijklmnopqrstuvwxy"  # a token a character
    spans = [(0, 4), (8, 12), (3, 25), (24, 25)]
    words = encoder.tokenizer.tokenizer
    ids = words(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == 25
    states = torch.zeros(25, 32)
    for start, stop, new in ((0, 10, 0), (7, 17, 10), (14, 24, 17), (21, 25, 24)):
        window = [words.cls_token_id, *ids[start:stop], words.sep_token_id]
        states[new:stop] = states_by_hand(encoder, window)[1:-1][new - start :]
    expected = torch.stack([states[start:stop].mean(0) for start, stop in spans])
    vectors = encoder.encode_chunks([text], [spans], overlap=3)
    np.testing.assert_allclose(vectors, torch.nn.functional.normalize(expected, dim=-1), atol=1e-6)
    other = encoder.encode_chunks([text], [spans], overlap=0)
    np.testing.assert_allclose(other[0], vectors[0], atol=1e-6)  # within the first window
    assert np.abs(other[1] - vectors[1]).max() > 1e-3


def test_projections_and_fewer_numbers_come_after_the_mean() -> None:
    encoder = tiny_encoder("bert", projection=16)
    whole = encoder.encode_chunks([TEXT], [SPANS])
    assert whole.shape == (2, 16)
    dense = encoder.module["dense"][0]
    read = encoder.tokenizer.tokenizer(TEXT)["input_ids"]
    mean = states_by_hand(encoder, read)[1:15].mean(0)  # the letters and the full stop of the first sentence
    with torch.no_grad():
        expected = torch.nn.functional.normalize(dense(mean), dim=-1)
    np.testing.assert_allclose(whole[0], expected, atol=1e-6)
    cut = encoder.encode_chunks([TEXT], [SPANS], dim=4)
    np.testing.assert_allclose(cut, whole[:, :4] / np.linalg.norm(whole[:, :4], axis=1, keepdims=True), atol=1e-6)


def test_chunks_as_they_are_cut(encoder: Encoder) -> None:
    texts = {"a": TEXT * 6, "b": TEXT}
    chunks = list(chunk_texts(texts, Chunking("sentences", 40), encoder.measure()))
    spans = [[(chunk.start, chunk.stop) for chunk in chunks if chunk.document == name] for name in texts]
    vectors = encoder.encode_chunks(list(texts.values()), spans)
    assert vectors.shape == (len(chunks), 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("spans", "overlap", "said"),
    [
        ([[(0, 99)]], None, "leaves the text"),
        ([[(5, 5)]], None, "empty"),
        ([[(17, 18)]], None, "chunk number 0 of text number 0 .* holds no token"),
        ([[(0.5, 3)]], None, "no whole numbers"),
        ([[(0, 3)], []], None, "1 texts, but spans for 2"),
        ([[(0, 3)]], 62, "room for 62"),
    ],
)
def test_impossible_spans_are_refused(encoder: Encoder, spans: list, overlap: int | None, said: str) -> None:
    with pytest.raises(InputError, match=said):
        encoder.encode_chunks([TEXT], spans, overlap=overlap)


def test_models_that_do_not_pool_by_the_mean_are_refused() -> None:
    with pytest.raises(InputError, match=r"pools by last_token.*mean pooling"):
        tiny_encoder("qwen3").encode_chunks([TEXT], [SPANS])
    static = initialise_static(tiny_encoder("bert").tokenizer.tokenizer)
    with pytest.raises(InputError, match=r"static.*by themselves"):
        static.encode_chunks([TEXT], [SPANS])
    mean = tiny_encoder("qwen3", pooling="mean")
    np.testing.assert_allclose(mean.encode_chunks([TEXT], [SPANS]), by_hand(mean, TEXT, SPANS), atol=1e-5)
