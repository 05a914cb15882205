from __future__ import annotations

from pathlib import Path

import pytest

from cosmith.data import Collection
from cosmith.errors import InputError
from cosmith.evaluation import Scores
from cosmith.evaluation.task_files import averages, is_benchmark, read_benchmark


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pairs.tsv").write_text("sentence1\tsentence2\tscore\na b\ta c\t4\nd\te\t1\nf\tf\t5\n")
    (tmp_path / "set").mkdir()
    for split in ("train", "test"):
        (tmp_path / "set" / f"{split}.csv").write_text("text,label\none,a\ntwo,b\nthree,a\n")
    return tmp_path


def benchmark(folder: Path, text: str):
    (folder / "tasks.yaml").write_text(text)
    return read_benchmark(folder / "tasks.yaml")


def test_tasks_are_read_beside_the_file_with_their_settings(folder):
    assert is_benchmark(folder / "pairs.tsv") is False
    read = benchmark(
        folder,
        "name: ours\ntasks:\n  - pairs.tsv\n  - {path: set, name: intents, samples: 2, experiments: 3}\n"
        "  - {path: set, kind: clustering, instruction: Group them., embed: 3}\n",
    )
    assert read.name == "ours"
    assert [(each.task.name, each.task.kind) for each in read.tasks] == [
        ("pairs.tsv", "sts"), ("intents", "classification"), ("set", "clustering")
    ]  # fmt: skip
    assert (read.tasks[1].task.samples, read.tasks[1].task.experiments) == (2, 3)
    assert (read.tasks[2].task.instruction, read.tasks[2].task.embed) == ("Group them.", 3)
    assert is_benchmark(folder / "tasks.yaml")


def collection(folder: Path, entry: str):
    """A collection of one query, read with settings."""
    Collection("docs", {"d1": "one", "d2": "two"}, {"q": "one?"}, {"q": {"d1": 1}}).write_beir(folder / "docs")
    return benchmark(folder, f"tasks:\n  - {entry}\n").tasks[0].task


def test_a_setting_of_several_numbers_is_a_list(folder):
    assert collection(folder, "{path: docs, ks: [1, 10]}").ks == (1, 10)


@pytest.mark.parametrize("given", ["10", "[]", "[1, ten]", "[1, true]", "[1.5]"])
def test_a_setting_of_several_numbers_takes_nothing_else(folder, given):
    with pytest.raises(InputError, match=r"yaml:2 \[tasks\[0\].ks\]: is .*it is \[1, 3, 5, 10, 100\] by default"):
        collection(folder, f"{{path: docs, ks: {given}}}")


@pytest.mark.parametrize("main", ["bogus", "ndcg", "foo@10", "ndcg@0"])
def test_a_metric_that_there_is_not_is_told_with_its_line(folder, main):
    with pytest.raises(InputError, match=rf"yaml:2 \[tasks\[0\].main\]: '{main}' is not a metric"):
        collection(folder, f"{{path: docs, main: {main}}}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tasks: []", r"\[tasks\]: names no tasks"),
        ("- pairs.tsv", "is not a mapping"),
        ("tasks:\n - [", "tasks.yaml:.*is not YAML"),
        ("task:\n - pairs.tsv", r"\[task\]: unknown key 'task'. Did you mean 'tasks'"),
        ("tasks:\n  - pairs.tsv\n  - {kind: sts}", r"tasks.yaml:3 \[tasks\[1\].path\]: has no path"),
        ("tasks:\n  - {path: set, sample: 3}", r"yaml:2 \[tasks\[0\].sample\].*no setting 'sample'. Did you mean 'sam"),
        ("tasks:\n  - {path: set, samples: few}", r"yaml:2 \[tasks\[0\].samples\]: is 'few'; it is 8 by default"),
        ("tasks:\n  - {path: set, samples: 0}", r"yaml:2 \[tasks\[0\].samples\]: must be at least 1"),
        ("tasks:\n  - {path: set, name: 3}", r"yaml:2 \[tasks\[0\].name\]: is 3, not a text"),
        ("tasks:\n  - pairs.tsv\n  - pairs.tsv", r"yaml:3 \[tasks\[1\]\]: a task is called 'pairs.tsv' already"),
        ("tasks:\n  - absent.tsv", r"absent.tsv.*no such file"),
        ("tasks:\n  - {path: pairs.tsv, kind: stss}", r"yaml:2 \[tasks\[0\].kind\]: unknown kind"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_its_line(folder, text, told):
    with pytest.raises(InputError, match=told):
        benchmark(folder, text)


def test_kinds_count_alike_or_tasks_do():
    def scores(value: float) -> Scores:
        return Scores("t", "m", "x", {"x": value})

    found = averages([("sts", scores(0.8)), ("sts", scores(0.6)), ("retrieval", scores(0.1))])
    assert found.of_tasks == pytest.approx(0.5)
    assert found.by_kind == pytest.approx({"sts": 0.7, "retrieval": 0.1})
    assert found.of_kinds == pytest.approx(0.4)
    with pytest.raises(InputError, match="no scores"):
        averages([])
