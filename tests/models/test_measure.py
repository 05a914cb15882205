"""What a model's tokens say of where they stand, and how many it would read."""

from __future__ import annotations

import pytest

from cosmith.errors import InputError
from cosmith.models import tiny_encoder
from cosmith.models.tokenization import TextTokenizer


def test_tokens_know_their_characters_and_special_ones_have_none() -> None:
    encoder = tiny_encoder("bert")
    ids, spans = encoder.tokenizer.with_spans("ab  c.")
    assert encoder.tokenizer.tokenizer.convert_ids_to_tokens(ids.tolist()) == ["a", "##b", "c", "."]
    assert spans.tolist() == [[0, 1], [1, 2], [4, 5], [5, 6]]
    ids, spans = encoder.tokenizer.with_spans("")
    assert (len(ids), spans.shape) == (0, (0, 2))
    with pytest.raises(InputError, match="surrogate"):
        encoder.tokenizer.with_spans("\ud800")


def test_a_capital_that_becomes_two_small_letters_is_one_character() -> None:
    words = tiny_encoder("bert").tokenizer.tokenizer
    _, spans = TextTokenizer(words, do_lower_case=True).with_spans("İİ ab")
    assert spans[-2:].tolist() == [[3, 4], [4, 5]]
    assert spans.max() == 5


def test_the_count_is_that_of_the_model_with_prompt_and_without_limit() -> None:
    encoder = tiny_encoder("bert", max_length=8).set_prompts({"document": "d: ", "query": ""})
    assert encoder.measure().count("abc") == 2 + 2 + 3
    assert encoder.measure(prompt="query").count("abcdefghij") == 2 + 10
    assert encoder.measure().limit == 8
