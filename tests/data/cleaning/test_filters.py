"""Length, language, repetition, symbols and boilerplate, each by itself and on texts in turn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data import RaggedTokens
from cosmith.data.cleaning import (
    BoilerplateLines,
    ExactDuplicates,
    Languages,
    Length,
    NearDuplicates,
    Repetition,
    Symbols,
    clean_records,
    clean_texts,
    detect_languages,
    judge_languages,
    judge_lengths,
    judge_repetition,
    judge_symbols,
    without_boilerplate,
)
from cosmith.errors import InputError

PROSE = (
    "The river rises in the hills to the north of the town and runs past two mills before it reaches the sea. In spring"
    " its water floods the meadows, and farmers move their cattle to higher ground until May. Older maps show a bridge"
    " that nobody has rebuilt since the last war, though travellers still ask for it now and then."
)


def test_lengths_in_characters_words_and_tokens() -> None:
    texts = ["a", "two words", "three words here", "  a  "]
    judged = judge_lengths(texts, Length(least_words=2, most_characters=12))
    assert judged.keep.tolist() == [False, True, False, False]
    assert judged.counts() == {"fewer than 2 words": 2, "more than 12 characters": 1}
    assert judged.faults[2].evidence == "16 characters"

    def tokenize(some: object) -> RaggedTokens:
        lengths = np.array([len(text) for text in some], dtype=np.int32)  # type: ignore[attr-defined]
        return RaggedTokens(np.zeros(0, np.int32), np.zeros(len(lengths) + 1, np.int64), lengths)

    assert judge_lengths(texts, Length(most_tokens=9), tokenize).keep.tolist() == [True, True, False, True]
    with pytest.raises(InputError, match="needs a model"):
        judge_lengths(texts, Length(least_tokens=1))


@pytest.mark.parametrize("limits", [{}, {"least_words": 0}, {"least_words": 3, "most_words": 2}])
def test_limits_that_limit_nothing_or_everything_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(InputError):
        Length(**limits)


def test_languages_are_told_and_what_is_too_short_is_kept() -> None:
    german, french = "Der Fluss entspringt nördlich der Stadt in den Hügeln.", "La rivière prend sa source au nord."
    texts = [PROSE, german, french, "Hallo", "12345 67890 12345 67890", "…"]
    found = detect_languages(texts)
    assert [language for language, _ in found[:3]] == ["en", "de", "fr"]
    assert found[5] == ("und", 0.0)
    assert all(0 <= confidence <= 1 for _, confidence in found)
    judged = judge_languages(texts, Languages(("en",)))
    assert judged.keep.tolist() == [True, False, False, True, True, True]
    assert judged.faults[1].evidence.startswith("de, 0.9") or judged.faults[1].evidence == "de, 1.00"
    assert judge_languages(texts, Languages(("en", "de"))).keep.tolist() == [True, True, False, True, True, True]
    with pytest.raises(InputError, match="'enn' is not known"):
        judge_languages(texts, Languages(("enn",)))


def test_texts_that_repeat_themselves_by_each_rule() -> None:
    filler = [f"word{number}" for number in range(60)]
    lines = "\n".join(["the same line of this text"] * 12)
    most_frequent = " ".join(["once more"] * 20 + filler[:50])
    run = " ".join(filler[:8])
    again = " ".join([run, *filler[8:50], run])
    judged = judge_repetition([PROSE, lines, most_frequent, again, "again again again", " ".join(filler)])
    assert judged.keep.tolist() == [True, False, False, False, True, True]
    assert judged.faults[1].reason == "repeated lines"
    assert judged.faults[1].evidence == "92 %"  # 11 of 12
    assert judged.faults[2].reason == "characters in one run of 2 words"
    assert judged.faults[3].reason.startswith("characters in repeated runs of")


def test_the_share_of_repeated_characters_is_as_counted_by_hand() -> None:
    """60 words of 4 letters; the first five stand a second time: 40 of 240 characters, above 0.15."""
    words = [f"w{number:03}" for number in range(55)]
    text = " ".join([*words, *words[:5]])
    judged = judge_repetition([text])
    assert judged.faults[0].reason == "characters in repeated runs of 5 words"
    assert judged.faults[0].evidence == "16.7 %"
    assert judge_repetition([text], Repetition(repeated={5: 0.17})).keep.all()
    assert judge_repetition([text], Repetition(least_words=61)).keep.all()


def test_texts_that_are_hardly_language() -> None:
    numbers = " ".join(str(number) for number in range(1000, 1080))
    bullets = "\n".join(f"- item {number} of a list" for number in range(20))
    hashes = " ".join(["#tag word"] * 30)
    broken = "\n".join([f"a line that breaks off number {number}..." for number in range(10)])
    judged = judge_symbols([PROSE, numbers, bullets, hashes, broken, "# 1 2 3"], Symbols())
    assert judged.keep.tolist() == [True, False, False, False, False, True]
    assert [judged.faults[number].reason for number in (1, 2, 3, 4)] == [
        "too few words with letters", "hardly more than a list", "too many symbols", "too many symbols",
    ]  # fmt: skip


def test_lines_that_many_documents_have_are_removed_and_the_others_stay_as_they_are() -> None:
    pages = [f"Home | About | Contact\nPage {n} is about {n * n}.\n\n© 2024 All rights reserved\n" for n in range(30)]
    pages.append("  One of its own.\nIt uses cookies.")
    found = without_boilerplate(pages)
    assert found.texts[3] == "Page 3 is about 9.\n\n"
    assert found.texts[-1] == "  One of its own.\n"
    assert found.lines == {"Home | About | Contact": 30, "© 2024 All rights reserved": 30, "It uses cookies.": 1}
    assert found.removed[3] == ((0, 23), (43, 70))
    few = without_boilerplate(pages[:5], BoilerplateLines(phrases=()))
    assert few.texts == pages[:5]


@given(st.lists(st.text(alphabet="ab\n ", max_size=12), max_size=12))
def test_the_removed_spans_are_what_is_missing(texts: list[str]) -> None:
    found = without_boilerplate(texts, BoilerplateLines(documents=2, share=0, phrases=()))
    for text, left, spans in zip(texts, found.texts, found.removed, strict=True):
        characters = [c for at, c in enumerate(text) if not any(start <= at < stop for start, stop in spans)]
        assert left == ("".join(characters) if "".join(characters).strip() or not spans else "")


def test_texts_pass_filters_in_turn_and_each_tells_what_it_did() -> None:
    texts = [PROSE, PROSE.upper(), "short", "Une phrase assez longue, mais en français.", PROSE.replace("May", "June")]
    asked = [Length(least_words=3), Languages(("en",)), ExactDuplicates(), NearDuplicates(0.8)]
    cleaned = clean_texts(texts, asked)
    assert cleaned.numbers.tolist() == [0]
    assert cleaned.texts == [PROSE]
    assert [step.name for step in cleaned.steps] == ["length", "language", "exact duplicates", "near duplicates"]
    assert [(step.before, step.after) for step in cleaned.steps] == [(5, 4), (4, 3), (3, 2), (2, 1)]
    assert cleaned.dropped[4].reason == "nearly the same text"
    assert cleaned.describe()[0] == "length: 1 of 5 left out (20 %): fewer than 3 words 1"
    assert cleaned.describe()[-1] == "1 text of 5 kept"
    with pytest.raises(InputError, match="leaves nothing of 5: fewer than 1,000 words 5"):
        clean_texts(texts, [Length(least_words=1000)])


def test_documents_keep_their_sections_and_links_where_they_are() -> None:
    menu = "Home | About\n"
    records = []
    for number in range(12):
        text = f"{menu}Intro {number} links here.\nTail"
        start = text.index("here")
        records.append(
            {
                "_id": f"d{number}",
                "text": text,
                "title": "t",
                "sections": [{"heading": "h", "level": 1, "start": text.index("Tail"), "stop": len(text)}],
                "links": [{"text": "here", "target": "x", "start": start, "stop": start + 4},
                          {"text": "Home", "target": "/", "start": 0, "stop": 4}],
            }
        )  # fmt: skip
    cleaned, left = clean_records(records, [BoilerplateLines(phrases=())])
    assert len(left) == len(cleaned.texts) == 12
    for record in left:
        text = record["text"]
        assert "Home" not in text
        assert [text[link["start"] : link["stop"]] for link in record["links"]] == ["here"]
        # "Tail" stands in all of them, too, so it went, and its section with it.
        assert record["sections"] == []
