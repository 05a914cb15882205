"""The general check set: whole, unambiguous in form, and not solvable by shared words."""

from __future__ import annotations

import re
from collections import Counter

from cosmith.data.general import GENERAL_CHECK_FOLDER, general_check_collection

LITTLE_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an the of to for in on from with by at as is are was were be been being it its this that these those there
        their they them then than and or but if not no i my me we our us you your he his him she her hers one s t what
        which who whom whose how why when where do does did done can could should would will may might must has have
        had so such only also all any some more most other into out up off over under about after before between while
        because just very too each every same get gets got am""",
    )
)


def words(text: str) -> set[str]:
    return {re.sub(r"(?:ing|ed|es|s)$", "", word) for word in re.findall(r"[a-z]+", text.lower())} - LITTLE_WORDS


def test_every_query_has_exactly_one_document_and_every_document_one_query() -> None:
    check = general_check_collection()
    assert not check.rejected
    assert check.name == "general-check"
    assert len(check.documents) == len(check.queries) == 320
    answers = [document for grades in check.relevance.values() for document, grade in grades.items() if grade == 1]
    assert sorted(answers) == sorted(check.documents)
    assert all(len(grades) == 1 for grades in check.relevance.values())


def test_topics_have_five_near_neighbours_each() -> None:
    topics = Counter(given.rpartition("-")[0] for given in general_check_collection().documents)
    assert len(topics) == 64
    assert set(topics.values()) == {5}


def test_texts_are_unique_clean_and_of_their_length() -> None:
    check = general_check_collection()
    texts = [*check.documents.values(), *check.queries.values()]
    assert len(set(texts)) == len(texts)
    for text in texts:
        assert text == " ".join(text.split())
        assert text.isprintable()
    assert all(25 <= len(text.split()) <= 60 for text in check.documents.values())
    # A question at the end, perhaps after a sentence that says how it came up.
    assert all(re.search(r"[.?]$", text) and "?" in text for text in check.queries.values())
    assert all(4 <= len(text.split()) <= 25 for text in check.queries.values())


def test_questions_share_few_words_with_their_answers() -> None:
    check = general_check_collection()
    shares = []
    for query, text in check.queries.items():
        (answer,) = check.relevance[query]
        asked = words(text)
        shares.append(len(asked & words(check.documents[answer])) / max(len(asked), 1))
    assert sum(shares) / len(shares) < 0.1
    assert max(shares) <= 0.5


def test_it_says_what_it_is() -> None:
    readme = (GENERAL_CHECK_FOLDER / "README.md").read_text(encoding="utf-8")
    assert "Apache-2.0" in readme
    assert "no benchmark" in readme
