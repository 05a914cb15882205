"""What was left out as likely answers: how many of them are, written down for a person, judged, and followed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cosmith.data import Source, TrainingRow
from cosmith.errors import InputError
from cosmith.mining import Review, mine_hard_negatives, read_review, with_answers, write_review
from cosmith.mining.hard_negatives.possible_positives import KEPT_A_ROW, estimated_answers

ROWS = [TrainingRow("a b c", ("a b",)), TrainingRow("d", ("a b c d",)), TrainingRow("e", ("a b c e",)),
        TrainingRow("f", ("a g",))]  # fmt: skip


def source() -> Source:
    return Source.from_rows("rows", ROWS)


def judge(path, **verdicts):
    """Write a verdict on a document, as a person would."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["query"] == "a b c" and line["document"] in verdicts:
            line["answers"] = verdicts[line["document"]]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_review_is_written_judged_and_followed(words_encoder, tmp_path):
    path = tmp_path / "review.jsonl"
    first = mine_hard_negatives(words_encoder(), source())
    assert first.source.row(0).negatives == ("a g",)
    count = write_review(path, first.possible_positives)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert count == len(lines) == len(list(first.possible_positives))
    assert {line["document"] for line in lines if line["query"] == "a b c"} == {"a b c d", "a b c e"}
    assert all(line["answers"] is None for line in lines)
    assert read_review(path) == Review()
    judge(path, **{"a b c d": True, "a b c e": False})
    review = read_review(path)
    assert review.answers == (("a b c", "a b c d"),)
    assert review.non_answers == (("a b c", "a b c e"),)
    second = mine_hard_negatives(words_encoder(), source(), review=review, negatives_per_row=2)
    assert second.source.row(0).positives == ("a b", "a b c d")
    assert second.source.row(0).negatives == ("a b c e", "a g")
    assert not [each for each in second.possible_positives if each.query == "a b c"]
    left = write_review(path, second.possible_positives, review)
    again = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(again) == left + 2
    assert read_review(path) == review


def test_a_verdict_outranks_the_cross_encoder(words_encoder):
    class Likes:
        def score(self, queries, documents, **options):
            return np.array([len(document) for document in documents], dtype=np.float32)

        def fingerprint(self):
            return "likes"

    review = Review(non_answers=(("a b c", "a b c e"), ("a b c", "not in the corpus"), ("not a query", "a b")))
    found = mine_hard_negatives(words_encoder(), source(), cross_encoder=Likes(), review=review)
    assert found.source.row(0).negatives == ("a b c e",)


def test_answers_become_positives_of_every_row_of_the_query():
    rows = [TrainingRow("q", ("p",), ("n", "m"), scores=(1, 0, 0)), TrainingRow("q", ("n",), (), scores=(1,)),
            TrainingRow("o", ("p",), ("n",), scores=(1, 0))]  # fmt: skip
    given = Source.from_rows("rows", rows)
    more = with_answers(given, [("q", "n"), ("unknown", "x")])
    assert [(row.positives, row.negatives) for row in more.rows()] == [
        (("p", "n"), ("m",)), (("n",), ()), (("p",), ("n",)),
    ]  # fmt: skip
    assert more.scores is None
    assert with_answers(given, [("o", "p")]) is given


def test_only_the_likeliest_of_a_row_are_kept_and_all_are_counted(words_encoder):
    crowd = [f"a b {n}" for n in range(12)]
    rows = [TrainingRow("a b", ("a",)), *(TrainingRow(f"x{n}", (text,)) for n, text in enumerate(crowd))]
    found = mine_hard_negatives(words_encoder(), Source.from_rows("crowd", rows))
    of_first = [each for each in found.possible_positives if each.query == "a b"]
    assert len(of_first) == KEPT_A_ROW
    encoder = words_encoder()
    scores = encoder.encode(crowd) @ encoder.encode(["a b"])[0]
    assert [each.score for each in of_first] == pytest.approx(sorted(scores.tolist(), reverse=True)[:KEPT_A_ROW])
    assert found.rejected >= int((scores >= 0.95 * float(encoder.encode(["a"])[0] @ encoder.encode(["a b"])[0])).sum())


def test_the_estimate_by_hand():
    # In the highest range 80 of 100 are marked, so four answers of five are. To its 80 marked ones 20 belong that are
    # not, and to the 40 of the middle range 10, of 300 that were left out there. In the lowest, only 2 were left out.
    known, left_out = np.array([40, 40, 80]), np.array([2, 300, 20])
    assert estimated_answers(known, left_out) == pytest.approx(2 + 10 + 20)
    assert estimated_answers(known, np.zeros(3, dtype=np.int64)) == 0
    # Fewer than 20 at the top: with the range below 50 of 60 are marked, so to the 10 of the top 2 belong that are not.
    assert estimated_answers(np.array([0, 40, 10]), np.array([9, 5, 5])) == pytest.approx(0 + 5 + 2)
    assert estimated_answers(np.array([3, 4]), np.array([5, 5])) is None


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('{"query": "q", "document": "d", "answers": "yes"}', 1, "'yes'.*true"),
        ('{"query": "q", "document": "d", "answers": null}\n{"query": "q", "answers": true}', 2, "lacks"),
        ("{", 1, "not JSON"),
        ("[]", 1, "not a JSON object"),
    ],
)
def test_a_file_that_is_no_review_is_told_by_line(tmp_path, text, line, says):
    path = tmp_path / "review.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=says) as refused:
        read_review(path)
    assert (refused.value.path, refused.value.line) == (path, line)
    with pytest.raises(InputError, match="no such file"):
        read_review(tmp_path / "none.jsonl")
