"""A task is a file or a folder: what is read, as which kind, and what is said of files that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cosmith.data import Collection
from cosmith.data.test_sets import TrainAndTest
from cosmith.errors import InputError
from cosmith.evaluation.task_files import read_task
from cosmith.evaluation.tasks import RetrievalTask, SubsetsTask

PAIRS = "sentence1\tsentence2"
ROWS = {
    "sts": ("pairs.tsv", f"{PAIRS}\tscore\na b\ta c\t4.5\nd\te\t1\n"),
    "pair-classification": ("pairs.csv", "text1,text2,label\na b,a c,1\nd,e,0\nf,g,\n"),
    "bitext-mining": ("deu.tsv", f"{PAIRS}\neins\tone\nzwei\ttwo\n"),
    "clustering": ("titles.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n'
                                   '{"text": "c", "label": "x"}\n'),
    "reranking": ("lists.jsonl", '{"query": "q", "positive": ["a"], "negative": ["b", "c"]}\n'
                                 '{"query": "r", "positive": ["a"], "negative": []}\n'),
    "retrieval": ("answers.jsonl", '{"question": "q", "answer": "a"}\n{"question": "r", "answer": "b"}\n'
                                   '{"question": "q", "answer": "c"}\n'),
    "summarisation": ("summaries.jsonl", '{"human_summaries": ["h"], "machine_summaries": ["m", "n"],'
                                         ' "relevance": [1, 2.5]}\n'),
    "word-similarity": ("words.txt", "sun moon 3.5\nsun car 1\n"),
    "analogy": ("questions.txt", ": capitals\nParis France Rome Italy\n"),
}  # fmt: skip


def written(folder: Path, kind: str) -> Path:
    name, text = ROWS[kind]
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ROWS)
def test_the_kind_is_found_by_the_columns_and_the_task_runs(kind, tmp_path, words_encoder):
    path = written(tmp_path, kind)
    read = read_task(path)
    assert (read.task.kind, read.guessed, read.task.name) == (kind, True, path.name)
    assert path.name in read.describe()
    assert kind in read.describe()
    scores = read.task.evaluate(words_encoder(), resamples=5)
    assert scores.task == path.name
    assert 0 <= abs(scores.value) <= 1
    said = read_task(path, kind=kind, name="mine")
    assert (said.task.kind, said.guessed, said.task.name) == (kind, False, "mine")


def test_what_is_found_is_what_stands_there(tmp_path):
    alike = read_task(written(tmp_path, "pair-classification"))
    assert alike.task.data.alike.tolist() == [True, False]
    assert [(row.line, row.reason) for row in alike.task.rejected] == [(4, "has no label")]
    assert alike.because == "the columns 'text1', 'text2', 'label', where 'label' is 0 or 1"
    lists = read_task(written(tmp_path, "reranking"), rejected=tmp_path / "aside.jsonl")
    assert lists.task.data.negatives == [("b", "c")]
    assert "has no negative" in (tmp_path / "aside.jsonl").read_text()
    answers = read_task(written(tmp_path, "retrieval")).task
    assert isinstance(answers, RetrievalTask)
    assert answers.data.queries == {"q0": "q", "q1": "r"}
    assert answers.data.relevance == {"q0": {"d0": 1, "d2": 1}, "q1": {"d1": 1}}
    analogies = read_task(written(tmp_path, "analogy")).task.data
    assert (analogies.questions, analogies.categories) == ([("Paris", "France", "Rome", "Italy")], ["capitals"])


@pytest.mark.parametrize(("label", "says"), [("1", "alike"), ("0", "not alike")])
def test_labels_of_one_class_are_judgements_of_which_the_other_is_missing(label, says, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(f"{PAIRS}\tlabel\na\tb\t{label}\nc\td\t{label}\n")
    with pytest.raises(InputError, match=f"all 2 pairs of 'pairs.tsv' are {says}"):
        read_task(path)
    (tmp_path / "scores.tsv").write_text(f"{PAIRS}\tscore\na\tb\t{label}\nc\td\t{label}\n")
    assert read_task(tmp_path / "scores.tsv").task.kind == "sts"
    path.write_text(f"{PAIRS}\tlabel\na\tb\t{label}.0\nc\td\t{label}.0\n")
    assert read_task(path).task.kind == "sts", "grades, which happen to be all the same"


def test_duplicates_are_judged_pairs(tmp_path):
    (tmp_path / "pairs.tsv").write_text(f"{PAIRS}\tis_duplicate\na\tb\t1\nc\td\t0\n")
    assert read_task(tmp_path / "pairs.tsv").task.data.alike.tolist() == [True, False]


def test_the_kind_may_be_overruled(tmp_path):
    path = written(tmp_path, "pair-classification")
    assert read_task(path, kind="sts").task.data.scores.tolist() == [1, 0]
    assert read_task(path, kind="bitext-mining").task.data.first == ["a b", "d", "f"]


def test_parquet_and_gzip_and_json_are_read_alike(tmp_path):
    table = pa.table({"sentence1": ["a", "b"], "sentence2": ["c", "d"], "score": [1.0, 3.0]})
    pq.write_table(table, tmp_path / "pairs.parquet")
    assert read_task(tmp_path / "pairs.parquet").task.kind == "sts"


def labelled(path: Path, *labels: str) -> None:
    path.write_text(
        "".join(json.dumps({"text": f"text {n}", "intent": label}) + "\n" for n, label in enumerate(labels))
    )


def test_a_folder_with_a_training_and_a_test_split_is_classified(tmp_path):
    labelled(tmp_path / "train.jsonl", "a", "b", "a")
    labelled(tmp_path / "test.jsonl", "b", "a", "b")
    labelled(tmp_path / "dev.jsonl", "b", "a", "a")
    read = read_task(tmp_path)
    assert read.task.kind == "classification"
    assert isinstance(read.task.data, TrainAndTest)
    assert read.task.data.test.labels == ["b", "a", "b"]
    assert read_task(tmp_path, split="dev").task.data.test.labels == ["b", "a", "a"]
    assert read_task(tmp_path, kind="clustering").task.data.labels == ["b", "a", "b"]
    assert read_task(f"{tmp_path}:train").task.kind == "clustering"
    with pytest.raises(InputError, match=r"has no split 'tset'; its splits: dev, test, train. Did you mean 'test'"):
        read_task(tmp_path, split="tset")
    with pytest.raises(InputError, match="no texts that a classifier could learn from"):
        read_task(tmp_path / "test.jsonl", kind="classification")


def test_a_folder_of_languages_is_one_task_with_a_score_for_each(tmp_path, words_encoder):
    for name, other in (("deu-eng", "eins"), ("fra-eng", "un")):
        (tmp_path / f"{name}.tsv").write_text(f"{PAIRS}\n{other}\tone\n{other} a\tone a\n")
    read = read_task(tmp_path, name="both", instruction="Find the translation.")
    assert isinstance(read.task, SubsetsTask)
    assert (read.task.by, read.task.instruction) == ("language", "Find the translation.")
    scores = read.task.evaluate(words_encoder(), resamples=5)
    assert scores.breakdown is not None
    assert list(scores.breakdown.rows) == ["deu-eng", "fra-eng"]
    (tmp_path / "swe-eng.tsv").write_text(f"{PAIRS}\n")
    with pytest.raises(InputError, match=r"swe-eng\.tsv.*has a header, but no rows"):
        read_task(tmp_path)
    (tmp_path / "swe-eng.tsv").write_text("text\tlabel\na\tx\nb\ty\nc\ty\n")
    with pytest.raises(InputError, match=r"several kinds.*deu-eng: bitext-mining.*swe-eng: clustering"):
        read_task(tmp_path)


def test_shards_are_one_table(tmp_path):
    for number in range(2):
        (tmp_path / f"part-{number}.tsv").write_text(f"{PAIRS}\tscore\na\tb\t{number}.5\n")
    assert len(read_task(tmp_path).task.data) == 2


def test_queries_without_an_answer_are_told_of(tmp_path):
    Collection("c", {"d": "a document"}, {"q": "a query"}, {"q": {"d": 1}}).write_beir(tmp_path / "set")
    with (tmp_path / "set" / "queries.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"_id": "r", "text": "another"}\n')
    assert "(1 query without a relevant document left out)" in read_task(tmp_path / "set").describe()


def test_a_beir_folder_is_a_retrieval_task(tmp_path):
    Collection("c", {"d": "a document"}, {"q": "a query"}, {"q": {"d": 1}}).write_beir(tmp_path / "set", "dev")
    assert read_task(tmp_path / "set", split="dev").task.data.name == "set"
    with pytest.raises(InputError, match=r"\[kind\]: a BEIR folder is a retrieval task, not sts"):
        read_task(tmp_path / "set", kind="sts")


def test_what_is_no_task_is_told_with_what_would_be(tmp_path):
    (tmp_path / "prose.txt").write_text("Once upon a time there was a test.\n")
    with pytest.raises(
        InputError, match=r"prose.txt:1: is plain text without words to compare.*two words and a number"
    ):
        read_task(tmp_path / "prose.txt")
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"odd.csv: its columns \('a', 'b'\).*sts: sentence1, sentence2, score"):
        read_task(tmp_path / "odd.csv")
    (tmp_path / "bad.tsv").write_text(f"{PAIRS}\tscore\na\tb\tmany\n")
    with pytest.raises(InputError, match=r"bad.tsv:2.*the score 'many' is not a number"):
        read_task(tmp_path / "bad.tsv")
    with pytest.raises(InputError, match=r"unknown kind of task 'stss'. Did you mean 'sts'"):
        read_task(tmp_path / "bad.tsv", kind="stss")
    with pytest.raises(InputError, match="no such file"):
        read_task(tmp_path / "absent.jsonl")
    (tmp_path / "four.txt").write_text(": c\na b c\n")
    with pytest.raises(InputError, match=r"four.txt:2: has 1 row, none of which.*has 3 words, not four"):
        read_task(tmp_path / "four.txt")
