"""The stage `mine` with all that it can say, and training that mines again along the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosmith.data import Source
from cosmith.errors import InputError
from cosmith.mining import mine_hard_negatives
from cosmith.models import Encoder
from cosmith.recipes import load_recipe, parse_document, run_recipe

STAGES = """\
name: mining
base: {base}
precision: float32
stages:
  data: {{kind: source, path: {pairs}, dev: 0, test: 0.2}}
  texts: {{kind: texts, path: {texts}}}
"""


def run(stages: str, world: Path, folder: Path, texts: Path | None = None):
    said = STAGES.format(base=world / "base", pairs=world / "pairs.jsonl", texts=texts or world / "more.jsonl")
    return run_recipe(load_recipe(parse_document(said + stages)), folder)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "more.jsonl"
    path.write_text("".join(json.dumps({"text": f"gen cup number {n}"}) + "\n" for n in range(9)))
    return path


def test_models_corpora_words_and_scores(small_world: Path, tmp_path: Path, texts: Path) -> None:
    results = run(
        """\
  trained: {kind: train, sources: data.train, steps: 2, batch_size: 8, learning_rate: 1e-3}
  mined: {kind: mine, source: data.train, model: [base, trained], corpus: [texts, data.test], candidates: both,
          depth: 8, negatives: 2, max_score: 0.999, ratio: null, scores: true}
""",
        small_world, tmp_path, texts,
    )  # fmt: skip
    mined = Source.load(tmp_path / "mined" / "source")
    test_set = [json.loads(line)["text"] for line in (tmp_path / "data" / "test" / "corpus.jsonl").open()]
    expected = mine_hard_negatives(
        [Encoder.load(place, precision="float32") for place in (small_world / "base", tmp_path / "trained" / "model")],
        Source.load(tmp_path / "data" / "train"), corpus=[f"gen cup number {n}" for n in range(9)] + test_set,
        candidates="both", depth=8, negatives_per_row=2, max_score=0.999, ratio=None, scores=True,
    )  # fmt: skip
    assert [row.negatives for row in mined.rows()] == [row.negatives for row in expected.source.rows()]
    assert mined.scores is not None
    assert results["mined"]["documents"] == expected.documents
    assert results["mined"]["rejected_likely_positives"] == expected.rejected


def test_a_judged_review_is_followed(small_world: Path, tmp_path: Path, texts: Path) -> None:
    stage = "  mined: {{kind: mine, source: data.train, ratio: 0.98{}}}\n"
    first = run(stage.format(""), small_world, tmp_path / "first", texts)["mined"]
    lines = [json.loads(line) for line in Path(first["review_file"]).read_text().splitlines()]
    assert first["to_judge"] == len(lines) > 0
    lines[0]["answers"] = True
    judged = tmp_path / "judged.jsonl"
    judged.write_text("".join(json.dumps(line) + "\n" for line in lines))
    second = run(stage.format(f", review: {judged}"), small_world, tmp_path / "second", texts)["mined"]
    assert second["reviewed"] == 1
    rows = [
        row for row in Source.load(tmp_path / "second" / "mined" / "source").rows() if row.query == lines[0]["query"]
    ]
    assert rows
    assert all(lines[0]["document"] in row.positives for row in rows)
    judged.write_text('{"query": "a", "document": "b", "answers": 1}')
    with pytest.raises(InputError, match="says 1") as refused:
        run(stage.format(f", review: {judged}"), small_world, tmp_path / "third", texts)
    assert (refused.value.field, refused.value.line) == ("stages.mined.review", 1)


def test_training_mines_again_what_its_stage_has_mined(small_world: Path, tmp_path: Path, texts: Path) -> None:
    run(
        """\
  mined: {kind: mine, source: data.train, corpus: texts, negatives: 2, ratio: null, seed: 5}
  train: {kind: train, sources: [data.train, mined], steps: 30, batch_size: 16, learning_rate: 1e-2,
          remine_every: 1, per_source: {mined: {weight: 2.0}}}
""",
        small_world, tmp_path, texts,
    )  # fmt: skip
    versions = sorted(place.name for place in (tmp_path / "train" / "mined").iterdir())
    assert versions == ["000001", "000002"]
    given = Source.load(tmp_path / "mined" / "source")
    for version in versions:
        assert [place.name for place in (tmp_path / "train" / "mined" / version).iterdir()] == ["mined"]
        again = Source.load(tmp_path / "train" / "mined" / version / "mined")
        assert again.settings.weight == 2.0
        assert [row.positives for row in again.rows()] == [row.positives for row in given.rows()]
        assert [row.negatives for row in again.rows()] != [row.negatives for row in given.rows()]
        assert all(len(row.negatives) == 2 for row in again.rows())


@pytest.mark.parametrize(
    ("stages", "field", "says"),
    [
        ("  train: {kind: train, sources: data.train, remine_every: 1}\n", "train.remine_every", "kind mine"),
        ("  mined: {kind: mine, source: data.train}\n"
         "  train: {kind: train, sources: mined, loss: gist, teacher: base, remine_every: 1}\n",
         "train.remine_every", "teacher"),
        ("  mined: {kind: mine, source: data.train, agreement: 2}\n", "mined", "rankings"),
        ("  mined: {kind: mine, source: data.train, candidates: both, depth: 1, negatives: 2}\n", "mined", "depth"),
        ("  mined: {kind: mine, source: data.train, cross_encoder: base}\n", "mined.cross_encoder", "reranker"),
        ("  mined: {kind: mine, source: data.train, model: [base, nobody]}\n", "mined.model", "nobody"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_known_before_anything_runs(
    small_world: Path, tmp_path: Path, texts: Path, stages: str, field: str, says: str
) -> None:
    with pytest.raises(InputError, match=says) as refused:
        run(stages, small_world, tmp_path / "run", texts)
    assert str(refused.value.field).startswith(f"stages.{field}")
    assert not (tmp_path / "run").exists()
