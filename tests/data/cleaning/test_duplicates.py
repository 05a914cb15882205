"""What is there twice: exactly, nearly, and never by mistake."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cosmith.data.cleaning import NearDuplicates, exact_duplicates, near_duplicates, normalised, words_of
from cosmith.errors import InputError

WORDS = ["river", "apple", "stone", "cloud", "green", "paper", "north", "seven", "light", "house", "music", "table"]
LONG = " ".join(WORDS[number * 7 % 12] + str(number) for number in range(60))


def jaccard(one: str, other: str) -> float:
    """By the definition, on the strings themselves."""
    first, second = words_of(one), words_of(other)
    if min(len(first), len(second)) >= 20:
        sets = [{tuple(words[at : at + 5]) for at in range(len(words) - 4)} for words in (first, second)]
    elif max(len(first), len(second)) >= 40:
        return 0.0
    else:
        texts = [" ".join(words) or normalised(text) for words, text in ((first, one), (second, other))]
        sets = [{text[at : at + 5] for at in range(max(len(text) - 5, 0) + 1)} for text in texts]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_exact_duplicates_differ_in_case_spacing_and_compatible_forms_only() -> None:
    texts = ["Two  words", "two words", "ﬁne print", "fine print", "two words.", "-1", "1"]
    found = exact_duplicates(texts)
    assert found.kept.tolist() == [0, 0, 2, 2, 4, 5, 6]
    judged = found.judged(texts.__getitem__)
    assert judged.keep.tolist() == [True, False, True, False, True, True, True]
    assert judged.counts() == {"the same text": 2}
    assert judged.faults[1].evidence == "as number 0 'Two  words'".replace("  ", " ")


def test_words_lose_the_punctuation_around_them_but_not_what_tells_them_apart() -> None:
    assert words_of('"What is C++?", he asked (twice).') == ["what", "is", "c++", "he", "asked", "twice"]
    assert words_of("C# -1 50% a/b state-of-the-art … !") == ["c#", "-1", "50%", "a/b", "state-of-the-art"]
    assert words_of("東京、の猫。cat") == ["東", "京", "の", "猫", "cat"]
    assert words_of("  ") == []


def test_near_duplicates_of_long_and_of_short_texts() -> None:
    changed = LONG.replace("north3", "elsewhere")
    short, other = "How do I reset the password of my account?", "How do I reset the password of my accounts"
    texts = [LONG, changed, short, other, "An entirely different question", LONG.upper()]
    found = near_duplicates(texts, NearDuplicates(0.8))
    assert found.kept.tolist() == [0, 0, 2, 2, 4, 0]
    assert found.similarity[1] == pytest.approx(jaccard(LONG, changed))
    assert found.similarity[3] == pytest.approx(jaccard(short, other))
    assert found.similarity[5] == 1.0


def test_a_chain_of_small_changes_does_not_reach_from_one_end_to_the_other() -> None:
    words = LONG.split()
    chain = [" ".join([*("x" + str(n) for n in range(step)), *words[step:]]) for step in range(0, 40, 3)]
    found = near_duplicates(chain, NearDuplicates(0.8))
    assert len(set(found.kept.tolist())) > 3
    for number, kept in enumerate(found.kept.tolist()):
        assert jaccard(chain[number], chain[kept]) >= 0.8


def test_texts_of_one_length_and_a_little_more_are_compared_alike() -> None:
    """19 and 21 words stand on the two sides of the line between short and long texts."""
    words = LONG.split()[:21]
    assert near_duplicates([" ".join(words[:19]), " ".join(words)], NearDuplicates(0.8)).kept.tolist() == [0, 0]
    assert near_duplicates([" ".join(words), " ".join(words[:19])], NearDuplicates(0.8)).kept.tolist() == [0, 0]


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=45).map(" ".join),
        st.tuples(st.integers(0, 59), st.sampled_from(WORDS)).map(
            lambda change: " ".join([*LONG.split()[: change[0]], change[1], *LONG.split()[change[0] + 1 :]])
        ),
    ),
    max_size=25,
)


@given(TEXTS, st.sampled_from([0.5, 0.8, 0.95]))
@hypothesis_settings(max_examples=25)
def test_what_is_left_out_is_truly_like_what_is_kept_for_it_and_what_is_kept_is_kept_again(
    texts: list[str], threshold: float
) -> None:
    asked = NearDuplicates(threshold)
    found = near_duplicates(texts, asked)
    kept = np.flatnonzero(found.kept == np.arange(len(texts)))
    assert set(found.similarity) == set(range(len(texts))) - set(kept.tolist())
    for number, similarity in found.similarity.items():
        first = int(found.kept[number])
        assert first in kept
        assert first < number
        assert similarity == pytest.approx(jaccard(texts[number], texts[first]))
        assert similarity >= threshold
    left = [texts[number] for number in kept]
    assert near_duplicates(left, asked).similarity == {}
    again = near_duplicates(texts, asked)
    assert again.kept.tolist() == found.kept.tolist()


@given(st.lists(st.text(alphabet="aAbB \n", max_size=6)))
def test_exact_duplicates_are_those_with_the_same_normal_form(texts: list[str]) -> None:
    found = exact_duplicates(texts)
    forms = [normalised(text) for text in texts]
    assert found.kept.tolist() == [forms.index(form) for form in forms]


def test_pairs_that_are_more_alike_than_asked_for_are_found() -> None:
    """With 200 pairs at 0.9 and a threshold of 0.8, missing one has a probability of less than a millionth."""
    random = np.random.default_rng(0)
    texts = []
    for number in range(200):
        words = [f"w{value}" for value in random.integers(0, 5000, 100)]
        texts += [" ".join(words), " ".join([*words[:-1], f"end{number}", "more"])]
    found = near_duplicates(texts, NearDuplicates(0.8))
    assert sorted(found.similarity) == list(range(1, 400, 2))


@pytest.mark.parametrize("threshold", [0.0, 0.2, 1.1, float("nan")])
def test_thresholds_that_say_nothing_are_refused(threshold: float) -> None:
    with pytest.raises(InputError, match="threshold"):
        NearDuplicates(threshold)
