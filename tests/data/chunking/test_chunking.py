"""Nothing is lost, nothing is too long, and a chunk says where it stands."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from cosmith.data import read_texts
from cosmith.data.chunking import (
    Chunk,
    Chunking,
    TextMeasure,
    WordMeasure,
    chunk_documents,
    chunk_texts,
    sentence_spans,
    write_chunks,
)
from cosmith.data.documents import Document, Section
from cosmith.errors import InputError
from cosmith.models import TokenMeasure, tiny_encoder
from cosmith.models.tokenization import TextTokenizer

LEAVE = "Everyone has thirty days. Ask early! Dr. Smith decides, e.g. in May. What of sickness? Call us."
TEXT = f"{LEAVE}\n\nSick leave\n\nBring a note.\n\nTravel\n\nBy train\n\nBook it. Keep the ticket."


def document(text: str = TEXT, *headings: tuple[str, int], title: str = "Handbook") -> Document:
    """A document whose headings stand as paragraphs of their own."""
    places = [(heading, level, text.index(f"{heading}\n\n")) for heading, level in headings]
    ends = [place for *_, place in places[1:]] + [len(text)]
    sections = []
    for (heading, level, place), end in zip(places, ends, strict=True):
        start = place + len(heading) + 2
        sections.append(Section(heading, level, start, max(start, start + len(text[start:end].rstrip()))))
    if places:
        sections.insert(0, Section("", 0, 0, len(text[: places[0][2]].rstrip())))
    return Document("handbook.md", text, title, "markdown", tuple(sections))


HANDBOOK = document(TEXT, ("Sick leave", 1), ("Travel", 1), ("By train", 2))


def cut(given: Document, how: str, tokens: int, overlap: int = 0) -> list[Chunk]:
    return list(chunk_documents([given], Chunking(how, tokens, overlap)))  # type: ignore[arg-type]


def test_sections_keep_their_headings_and_one_without_text_goes_with_the_next() -> None:
    chunks = cut(HANDBOOK, "sections", 40)
    assert [(chunk.headings, chunk.text) for chunk in chunks] == [
        (("Handbook",), LEAVE),
        (("Handbook", "Sick leave"), "Sick leave\n\nBring a note."),
        (("Handbook", "Travel", "By train"), "Travel\n\nBy train\n\nBook it. Keep the ticket."),
    ]
    assert {chunk.context for chunk in chunks} == {"Handbook"}
    assert chunks[1].in_context == "Handbook Sick leave\n\nBring a note."
    assert [chunk.id for chunk in chunks] == ["handbook.md#0-95", "handbook.md#97-122", "handbook.md#124-167"]


def test_what_goes_on_of_a_long_section_stands_under_all_its_headings() -> None:
    text = "Travel\n\nBy train\n\n" + " ".join(["Book the ticket."] * 4)
    chunks = cut(document(text, ("Travel", 1), ("By train", 2)), "sections", 14)
    assert [(chunk.context, chunk.text) for chunk in chunks] == [
        ("Handbook", "Travel\n\nBy train\n\nBook the ticket. Book the ticket."),
        ("Handbook > Travel > By train", "Book the ticket. Book the ticket."),
    ]
    assert {chunk.headings for chunk in chunks} == {("Handbook", "Travel", "By train")}


def test_headings_that_take_over_half_of_the_room_go_from_the_outermost_inwards() -> None:
    long = document(TEXT, ("Sick leave", 1), ("Travel", 1), ("By train", 2), title="A handbook of seven words for you")
    assert {chunk.above for chunk in cut(long, "sections", 12)[:-1]} == {()}
    assert cut(long, "sections", 9)[-1].headings == ("Travel", "By train")


def test_sections_of_code_stand_under_names_that_the_text_does_not_hold() -> None:
    code = "import os\n\ndef read():\n    return 1"
    given = Document("a.py", code, format="python", sections=(Section("", 0, 0, 9), Section("read", 1, 11, 35)))
    assert [(chunk.headings, chunk.text) for chunk in cut(given, "sections", 50)] == [
        ((), "import os"),
        (("read",), "def read():\n    return 1"),
    ]


def test_sentences_are_packed_whole_and_repeated_whole() -> None:
    text = "One two three. Four five. Six seven eight nine. Ten."
    assert [chunk.text for chunk in cut(Document("a", text), "sentences", 8)] == [
        "One two three. Four five.",
        "Six seven eight nine. Ten.",
    ]
    assert [chunk.text for chunk in cut(Document("a", text), "sentences", 8, overlap=3)] == [
        "One two three. Four five.",
        "Four five. Six seven eight nine.",
        "Ten.",
    ]


def test_tokens_fill_the_room_and_overlap_but_tear_no_word() -> None:
    text = " ".join(f"w{number}" for number in range(10))
    assert [chunk.text for chunk in cut(Document("a", text), "tokens", 4, overlap=1)] == [
        "w0 w1 w2 w3",
        "w3 w4 w5 w6",
        "w6 w7 w8 w9",
    ]


def test_a_sentence_too_long_is_cut_between_words_and_a_word_too_long_within() -> None:
    assert [chunk.text for chunk in cut(Document("a", "one two three four five six. End."), "sentences", 4)] == [
        "one two three four",
        "five six.",
        "End.",
    ]
    measure = tiny_encoder("bert", max_length=8).measure()
    chunks = list(chunk_texts({"a": "x" * 40}, Chunking("tokens"), measure))
    assert len(chunks) > 1
    assert "".join(chunk.text for chunk in chunks) == "x" * 40


def test_scripts_without_spaces_are_cut_at_their_own_marks() -> None:
    text = "日本語の文章です。これは長い文です。もう一つ。"
    assert [chunk.text for chunk in cut(Document("a", text), "sentences", 12)] == [
        "日本語の文章です。",
        "これは長い文です。",
        "もう一つ。",
    ]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith met J. Doe, e.g. in the U.S. on Monday. He left.",
         ["Dr. Smith met J. Doe, e.g. in the U.S. on Monday.", "He left."]),
        ('He said "Stop." Then (he left.) Gone.', ['He said "Stop."', "Then (he left.)", "Gone."]),
        ("It cost 3.50 in all. version 2.0 is out", ["It cost 3.50 in all. version 2.0 is out"]),
        ("A heading\n\nA text\nof two lines\n \n\nEnd", ["A heading", "A text\nof two lines", "End"]),
        ("一。二！", ["一。", "二！"]),
        ("नमस्ते। आप कैसे हैं।", ["नमस्ते।", "आप कैसे हैं।"]),
        (" \n ", []),
    ],
)  # fmt: skip
def test_sentences(text: str, sentences: list[str]) -> None:
    assert [text[start:stop] for start, stop in sentence_spans(text)] == sentences


any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80)
prose = st.lists(
    st.sampled_from(["word", "Ein", "longerword", "e.g.", "end.", "日本語。", "ﷺ", "😀", "a" * 30, "\n\n", "!", "İ"]),
    max_size=40,
).map(" ".join)


def byte_level() -> TextMeasure:
    """Byte pairs, of which several make one character, that hold the space before a word."""
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    words.train_from_iterator(["a word, a longer word. The end of a sentence. " * 5], trainer)
    tokenizer = TextTokenizer(PreTrainedTokenizerFast(tokenizer_object=words))
    return TokenMeasure(64, tokenizer, lambda texts: tokenizer(texts, 64))


MEASURES: dict[str, TextMeasure] = {
    "byte-level": byte_level(),
    "words": WordMeasure(),
    "bert": tiny_encoder("bert").measure(),
    "qwen": tiny_encoder("qwen3").measure(),
}


@pytest.mark.parametrize("measure", MEASURES)
@settings(max_examples=60)
@given(
    text=any_text | prose,
    title=st.sampled_from(["", "A title", "a very long title " * 5]),
    how=st.sampled_from(["tokens", "sentences", "sections"]),
    tokens=st.integers(24, 60),
    overlap=st.integers(0, 12),
    edges=st.lists(st.integers(0, 80), max_size=6),
)
@example(text="0000000000000 ࠀ a0000000000000", title="A title", how="tokens", tokens=24, overlap=1, edges=[])
def test_nothing_is_lost_and_nothing_is_too_long(
    measure: str, text: str, title: str, how: str, tokens: int, overlap: int, edges: list[int]
) -> None:
    places = sorted({min(edge, len(text)) for edge in edges})
    spans = itertools.pairwise(places)
    sections = tuple(Section(f"heading {n}", 1 + n % 3, start, stop) for n, (start, stop) in enumerate(spans))
    given_document = Document("d", text, title, sections=sections)
    chunking = Chunking(how, tokens, overlap)  # type: ignore[arg-type]
    chunks = list(chunk_documents([given_document], chunking, MEASURES[measure]))
    covered = {place for chunk in chunks for place in range(chunk.start, chunk.stop)}
    assert all(place in covered for place, character in enumerate(text) if not character.isspace())
    assert [chunk.start for chunk in chunks] == sorted({chunk.start for chunk in chunks})
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.stop] == chunk.text.strip() != ""
        assert chunk.id == f"d#{chunk.start}-{chunk.stop}"
        assert MEASURES[measure].count(chunk.in_context) <= tokens
    if not overlap:
        assert sum(chunk.stop - chunk.start for chunk in chunks) == len(covered)


def test_a_chunk_never_exceeds_what_the_model_reads() -> None:
    encoder = tiny_encoder("bert", max_length=16).set_prompts({"document": "passage: "})
    chunks = list(chunk_texts({"a": TEXT, "b": "short"}, None, encoder.measure()))
    tokens = encoder.tokenize([chunk.in_context for chunk in chunks], prompt="document")
    assert not tokens.truncated.any()
    assert tokens.lengths.max() > 10  # and they are not needlessly short
    assert [chunk.document for chunk in chunks][-1] == "b"


def test_a_long_text_is_tokenised_in_parts_and_comes_out_whole() -> None:
    text = "some words and more. " * 12_000
    chunks = list(chunk_texts({"a": text}, Chunking("sentences", 1000)))
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())
    assert len(chunks) == 60


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"how": "paragraphs"}, "no way to cut"),
        ({"tokens": 0}, "is 0"),
        ({"tokens": 10, "overlap": 6}, "at most half"),
        ({"overlap": -1}, "is -1"),
    ],
)
def test_impossible_settings_are_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Chunking(**arguments)  # type: ignore[arg-type]


def test_a_limit_must_be_said_and_leave_room() -> None:
    with pytest.raises(InputError, match="Say how many tokens"):
        list(chunk_texts({"a": "text"}, Chunking("tokens")))
    with pytest.raises(InputError, match="too few for the character 'a' of the document 'd'"):
        list(chunk_texts({"d": "apple"}, Chunking("tokens", 2), tiny_encoder("bert").measure()))


def test_written_chunks_are_texts_that_read_as_the_model_read_them(tmp_path: Path) -> None:
    chunks = cut(HANDBOOK, "sections", 10)
    assert write_chunks(tmp_path / "chunks.jsonl", iter(chunks)) == len(chunks)
    read = read_texts(tmp_path / "chunks.jsonl")
    assert read.ids == [chunk.id for chunk in chunks]
    assert read.texts == [chunk.in_context for chunk in chunks]
    first = json.loads((tmp_path / "chunks.jsonl").read_text().splitlines()[0])
    assert (first["document"], first["start"], first["stop"]) == ("handbook.md", 0, chunks[0].stop)
