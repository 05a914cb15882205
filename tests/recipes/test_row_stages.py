"""Stages that make training rows of classes and of raw texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosmith.cli.summaries import summary
from cosmith.data import Source
from cosmith.data.documents import Document, Link, Section, write_documents
from cosmith.errors import InputError
from cosmith.inspection import write_report
from cosmith.recipes import load_recipe, parse_document, run_recipe
from cosmith.recipes.artefacts import Artefacts

BODY = "What stands here is long enough to be searched for."


def run(folder: Path, stages: str, **overrides: Any) -> dict[str, dict[str, Any]]:
    text = f"name: t\nstages:\n{stages}"
    return run_recipe(load_recipe(parse_document(text), overrides=overrides), folder / "run")


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    path = tmp_path / "tickets.csv"
    kinds = ("card lost", "card stolen", "wrong amount")
    path.write_text("utterance,intent\n" + "".join(f"ticket {n},{kinds[n % 3]}\n" for n in range(12)))
    return path


def test_the_names_of_classes_as_positives(tickets: Path, tmp_path: Path) -> None:
    stages = (
        f"  classes: {{kind: classes, path: {tickets}, text: utterance, form: labels, negatives: 2, instruction: i}}\n"
    )
    results = run(tmp_path, stages)
    source = Source.load(tmp_path / "run" / "classes" / "source")
    assert len(source) == 12
    row = next(source.rows())
    assert (row.query, row.positives, set(row.negatives)) == (
        "ticket 0",
        ("card lost",),
        {"card stolen", "wrong amount"},
    )
    assert (source.settings.task, source.settings.instruction) == ("classification", "i")
    assert not source.settings.uses_in_batch_negatives
    assert "12 rows of 3 classes" in summary("classes", results["classes"], tmp_path)
    assert "classes" in write_report(tmp_path / "run").read_text(encoding="utf-8")


def test_texts_of_a_class_as_positives_of_a_clustering(tickets: Path, tmp_path: Path) -> None:
    run(
        tmp_path,
        f"  c: {{kind: classes, path: {tickets}, text: utterance, task: clustering, positives: 2, negatives: 3}}\n",
    )
    source = Source.load(tmp_path / "run" / "c" / "source")
    assert source.settings.task == "clustering"
    for row in source.rows():
        kinds = [int(text.split()[1]) % 3 for text in (row.query, *row.positives, *row.negatives)]
        assert kinds[:3] == [kinds[0]] * 3
        assert len(row.negatives) == 3
        assert kinds[0] not in kinds[3:]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("", r"stages\.classes\.text.*no column is called text"),
        ("text: utterance, label: kind", r"stages\.classes\.label.*no column 'kind'"),
        ("text: utterance, label: utterance", "no column 'utterance'"),
        ("text: utterance, form: labels, positives: 2", "one positive"),
        ("text: utterance, negatives: 0", "negatives"),
    ],
)
def test_classes_that_cannot_be_read_name_the_key(settings: str, said: str, tickets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        run(tmp_path, f"  classes: {{kind: classes, path: {tickets}, {settings}}}\n".replace(", }", "}"))


def test_a_single_class_says_which_file(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": "x"}\n')
    with pytest.raises(InputError, match="fewer than two classes") as caught:
        run(tmp_path, f"  classes: {{kind: classes, path: {path}}}\n")
    assert caught.value.path == path


def test_titles_are_kept_apart_and_texts_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "documents.jsonl"
    rows = [{"title": f" Part {n} ", "text": f" {n}. {BODY}"} for n in range(20)]
    rows += [{"title": "Only a title", "text": ""}, {"text": f"{BODY} Without a title, by its first sentence alone."}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stages = f"  documents: {{kind: texts, path: {path}}}\n  pairs: {{kind: weak-pairs, texts: documents, dev: 0}}\n"
    results = run(tmp_path, stages)
    loaded = load_recipe(str(tmp_path / "run" / "recipe.resolved.yaml"))
    artefacts = Artefacts(loaded.recipe, tmp_path / "run")
    assert artefacts.texts("documents")[0] == f"Part 0   0. {BODY}"
    documents = list(artefacts.documents("documents"))
    assert [each.title for each in documents] == [*(f"Part {n}" for n in range(20)), "Only a title", ""]
    assert documents[20].text == ""
    assert (results["pairs"]["pairs"], results["pairs"]["from_titles"]) == (21, 20)
    assert set(results["pairs"]["splits"]) == {"train", "test"}
    assert "21 rows of 22 documents, 20 by their titles" in summary("weak-pairs", results["pairs"], tmp_path)
    train = Source.load(tmp_path / "run" / "pairs" / "train")
    assert {row.positives[0] for row in train.rows()} <= {*(f"{n}. {BODY}" for n in range(20)), rows[-1]["text"][52:]}


def test_weak_pairs_in_several_forms_are_counted_shown_and_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = []
    for n in range(24):
        parts = (f"Preface {n} of it.", f"Using part {n}", f"How does part {n} work?", f"Turn {n} on. {BODY}")
        text = "\n\n".join([*parts, "See also", BODY])
        sections = (
            Section("", 0, 0, len(parts[0])),
            Section(parts[1], 1, text.index(parts[2]), text.index("See also") - 2),
            Section("See also", 1, len(text) - len(BODY), len(text)),
        )
        links = (Link(f"a link to part {n + 1}", f"{(n + 1) % 24}.md", 0, 7),)
        documents.append(Document(f"{n}.md", text, f"Part {n}", "markdown", sections, links))
    write_documents(tmp_path / "documents.jsonl", documents)
    threads = tmp_path / "threads.jsonl"
    threads.write_text(json.dumps({"title": "Does it work at all?", "answers": [{"text": BODY, "score": 2}]}) + "\n{\n")
    stages = f"""
  pairs:
    kind: weak-pairs
    texts: documents
    forms: [title, question, {{name: heading, context: none}}, anchor, forum]
    threads: {threads}
    test: 0.3
"""
    # What a stage that reads a folder hands on; the stage `texts` reads titles and texts only.
    monkeypatch.setattr(Artefacts, "documents", lambda self, name: iter(documents))
    texts = f"  documents: {{kind: texts, path: {tmp_path / 'documents.jsonl'}}}\n"
    results = run(tmp_path, texts + stages.lstrip("\n"))["pairs"]
    forms = results["forms"]
    assert {name: (each["candidates"], each["kept"]) for name, each in forms.items()} == {
        "title": (24, 24), "question": (24, 24), "heading": (48, 24), "anchor": (24, 24), "forum": (1, 1),
    }  # fmt: skip
    assert forms["heading"]["dropped"] == {"the heading says nothing of its own": 24}
    assert (results["pairs"], results["from_titles"], list(results["dropped"].values())) == (97, 24, [1])
    assert {example["form"] for example in results["examples"]} == set(forms)
    told = "\n".join(summary("weak-pairs", results, tmp_path))
    assert "97 rows of 24 documents, 24 by their titles" in told
    assert "heading, left out: the heading says nothing of its own 24" in told
    assert "question, e.g. How does part 0 work?" in told
    page = write_report(tmp_path / "run").read_text(encoding="utf-8")
    assert "A sample of the form question" in page
    assert "Why candidates were left out" in page
    train = Source.load(tmp_path / "run" / "pairs" / "train")
    assert train.groups is not None
    held_out = {f"{n}.md" for n in range(24)} - set(train.groups)
    assert held_out
    assert train.groups == train.document_groups
    readable = [
        json.loads(line)["text"]
        for line in (tmp_path / "run" / "pairs" / "texts" / "texts.jsonl").open(encoding="utf-8")
    ]
    for n in range(24):
        mine = next(text for text in readable if f"Turn {n} on." in text)
        for said in (f"Part {n} ", f"Using part {n}\n", f"How does part {n} work?"):
            assert (said in mine) == (f"{n}.md" not in held_out)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("texts: texts, forms: [titel]", r"stages\.pairs\.forms.*unknown form 'titel' \(Did you mean 'title'\?\)"),
        ("texts: texts, forms: [{name: heading, context: all}]", "context is 'all'"),
        ("texts: texts, forms: []", "forms"),
        ("texts: texts, forms: forum", r"\[stages\.pairs\.threads\].*made of threads"),
        ("forms: title", "give texts, threads"),
    ],
)
def test_forms_that_cannot_be_made_name_the_key(settings: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text(f"{BODY} {BODY}\n" * 3)
    with pytest.raises(InputError, match=said):
        run(tmp_path, f"  texts: {{kind: texts, path: {path}}}\n  pairs: {{kind: weak-pairs, {settings}}}\n")


def test_weak_pairs_of_threads_alone(tmp_path: Path) -> None:
    threads = tmp_path / "threads.jsonl"
    threads.write_text("".join(json.dumps({"title": f"Question {n}?", "answers": [BODY + str(n)], "accepted_answer": 0})
                               + "\n" for n in range(12)))  # fmt: skip
    told = run(tmp_path, f"  pairs: {{kind: weak-pairs, forms: forum, threads: {threads}, dev: 0}}\n")["pairs"]
    assert (told["pairs"], told["documents"], set(told["splits"])) == (12, 0, {"train", "test"})
    assert not (tmp_path / "run" / "pairs" / "texts").exists()


def test_weak_pairs_of_clicks_alone(tmp_path: Path) -> None:
    clicks = tmp_path / "clicks.tsv"
    lines = [f"{query} {n}\td{n}\n" * 2 for n in range(12) for query in ("short words", "other words")]
    clicks.write_text("query\tdocument\n" + "".join(lines) + "\tdx\n")
    told = run(tmp_path, f"  pairs: {{kind: weak-pairs, forms: co-clicked, clicks: {clicks}, dev: 0}}\n")["pairs"]
    assert (told["pairs"], set(told["splits"]), list(told["dropped"].values())) == (12, {"train", "test"}, [1])


def test_documents_without_pairs_say_what_else_to_do(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("one\ntwo\n")
    stages = f"  texts: {{kind: texts, path: {path}}}\n  pairs: {{kind: weak-pairs, texts: texts}}\n"
    with pytest.raises(InputError, match=r"\[stages.pairs.texts\].*none of the documents.*self-pairs"):
        run(tmp_path, stages)


def test_graded_pairs_that_are_alike_become_rows(tmp_path: Path) -> None:
    path = tmp_path / "graded.tsv"
    lines = [f"text {n} of many\tmany texts, of them {n}\t{n % 6}\n" for n in range(24)]
    path.write_text("sentence1\tsentence2\tscore\n" + "".join([*lines, "one\ttwo\tmuch\n"]))
    stages = f"  graded: {{kind: graded-pairs, path: {path}, negatives: 3, instruction: i}}\n"
    told = run(tmp_path, stages)["graded"]
    source = Source.load(tmp_path / "run" / "graded" / "source")
    assert (told["pairs"], told["graded_pairs"], told["alike"]) == (len(source), 24, 8)
    assert len(source) == 16
    assert told["negatives_by_words"] + told["negatives_drawn"] == 48
    assert list(told["dropped"].values()) == [1]
    assert (source.settings.task, source.settings.instruction) == ("sts", "i")
    assert "16 rows of 8 pairs that are alike, of 24" in summary("graded-pairs", told, tmp_path)
    assert "pairs that are alike" in write_report(tmp_path / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("least: 6", r"\[stages\.graded\.least\].*the highest grade is 5"),
        ("least: 2", "unlike must be below least"),
        ("language: klingon", r"\[stages\.graded\.language\]"),
    ],
)
def test_grades_that_give_no_rows_name_the_key(settings: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "graded.csv"
    path.write_text("sentence1,sentence2,score\none,two,5\nthree,four,1\n")
    with pytest.raises(InputError, match=said):
        run(tmp_path, f"  graded: {{kind: graded-pairs, path: {path}, {settings}}}\n")
