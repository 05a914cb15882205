"""The command line as a user meets it: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from cosmith.cli.app import app, flags_first
from cosmith.data import Collection
from cosmith.evaluation import evaluate_retrieval
from cosmith.models import (
    EmbeddingFingerprint,
    Encoder,
    LateInteractionEncoder,
    tiny_cross_encoder,
    tiny_encoder,
    vectors_fingerprint,
)

DOCUMENTS = {"a": "red apples", "b": "green pears", "c": "a river in spring", "d": "code that sorts a list"}


def cosmith(*arguments: Any) -> Result:
    return CliRunner().invoke(app, flags_first([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, documents, a test set and graded pairs."""
    folder = tmp_path_factory.mktemp("world")
    tiny_encoder("bert").save(folder / "model")
    tiny_encoder("bert", seed=1).save(folder / "other")
    lines = [json.dumps({"_id": name, "text": text}) + "\n" for name, text in DOCUMENTS.items()]
    task = folder / "task"
    (task / "qrels").mkdir(parents=True)
    (task / "corpus.jsonl").write_text("".join(lines))
    (task / "queries.jsonl").write_text('{"_id": "q1", "text": "apples"}\n{"_id": "q2", "text": "sort a list"}\n')
    (task / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\td\t1\n")
    (folder / "documents.jsonl").write_text("".join(lines))
    pairs = ["sentence1\tsentence2\tscore", "red apples\tgreen apples\t4", "a river\tcode\t0", "a list\tlists\t5"]
    (folder / "sts.tsv").write_text("\n".join(pairs) + "\n")
    return folder


@pytest.mark.parametrize("command", [["--help"], ["run", "--help"], ["recipe", "list"], ["run", "--list"]])
def test_help_and_lists_load_no_heavy_library(command: list[str]) -> None:
    code = (
        "import sys\nfrom cosmith.cli import main\n"
        f"try:\n    main({command!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'transformers', 'pyarrow', 'faiss', 'altair', 'scipy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n" + ("assert 'numpy' not in sys.modules" if "--help" in command else "")
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "python-docs" in done.stdout or "Example: cosmith" in done.stdout


def commands_of(group: Any, name: str = "") -> Iterator[str]:
    """The names of a group, of its commands and of the groups within it; the door itself is ''."""
    yield name
    for each, command in getattr(group, "commands", {}).items():
        yield from commands_of(command, f"{name} {each}".strip())


@pytest.mark.parametrize("command", commands_of(get_command(app)))
def test_every_command_shows_an_example_of_itself(command: str) -> None:
    result = cosmith(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"Example: cosmith {command}".strip() in " ".join(result.stdout.split())


def test_version_and_wrong_usage() -> None:
    import cosmith as package

    assert cosmith("--version").stdout.strip() == f"cosmith {package.__version__}"
    wrong = cosmith("encode")
    assert wrong.exit_code == 2
    assert "Missing argument" in wrong.stderr


def test_models_can_be_merged_and_the_result_told(world: Path, tmp_path: Path) -> None:
    both = [world / "model", world / "other"]
    task = ("--task", world / "task", "--split", "test")
    told = cosmith("merge", *both, *task, "--output", tmp_path / "merged")
    assert told.exit_code == 0, told.output
    assert "→" in told.stdout
    assert f"cosmith evaluate {tmp_path / 'merged'}" in told.stdout
    card = json.loads((tmp_path / "merged" / "lineage.json").read_text())
    assert (card["kind"], card["settings"]["method"], card["model"]) == ("merge", "slerp", "merged")
    assert not {"density", "scale", "grid"} & set(card["settings"]), "slerp reads none of them"
    assert [(each["model"], each["share"]) for each in card["made_from"]] == [(str(place), 0.5) for place in both]
    assert card["made_from"][0]["fingerprint"] == Encoder.load(both[0]).fingerprint()
    assert card["files"][0]["path"] == str(world / "task")
    assert [scores["task"] for scores in card["scores"]] == ["task", "general-check"]
    assert set(card["versions"]) == {"torch", "transformers", "cosmith"}
    drawn = (tmp_path / "merged" / "merge.svg").read_text()
    assert all(f">{each['name']}<" in drawn for each in card["candidates"])
    page = (tmp_path / "merged" / "README.md").read_text()
    assert f"Merged by Cosmith {card['versions']['cosmith']} by slerp, from `{both[0]}, {both[1]}`" in page
    assert f"| task | mean of the main metrics | {card['scores'][0]['values']['mean of the main metrics']:.4f}" in page
    twice = cosmith("merge", tmp_path / "merged", tmp_path / "merged", "--base", both[0], "--output", tmp_path / "d")
    assert twice.exit_code == 0, twice.output
    card = json.loads((tmp_path / "d" / "lineage.json").read_text())
    assert [each["share"] for each in card["made_from"]] == [0.5, 0.5, None]
    assert card["made_from"][0]["lineage"]["settings"]["method"] == "slerp"
    assert card["scores"] == []
    assert not (tmp_path / "d" / "merge.svg").exists()
    options = ("--method", "soup", "--weight", 3, "--weight", 1, "--output", tmp_path / "b")
    soup = cosmith("--json", "merge", *both, *options)
    assert json.loads(soup.stdout)["chosen"]["shares"] == [0.75, 0.25]
    first, second, mixed = (Encoder.load(place).module.state_dict() for place in (*both, tmp_path / "b"))
    for name, value in mixed.items():
        if value.is_floating_point():
            np.testing.assert_allclose(value, 0.75 * first[name] + 0.25 * second[name], rtol=1e-5, atol=1e-6)
    again = cosmith("merge", *both, "--output", tmp_path / "merged")
    assert again.exit_code == 1
    assert "exists already" in again.stderr
    needs = cosmith("merge", *both, "--method", "ties", "--output", tmp_path / "c")
    assert "base" in needs.stderr
    assert not (tmp_path / "c").exists()


def test_merging_is_told_the_kind_of_its_task_or_says_which_it_found(world: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "judged.csv"
    pairs.write_text("sentence1,sentence2,label\nred,green,1\nriver,code,0\nlist,lists,1\n")
    command = ("merge", world / "model", world / "other", "--task", pairs, "--no-general", "--output")
    found = cosmith(*command, tmp_path / "found")
    assert found.exit_code == 0, found.output
    assert "judged.csv: pair-classification, by the columns" in found.stderr
    assert "--kind KIND says otherwise" in found.stderr
    said = cosmith(*command, tmp_path / "said", "--kind", "sts")
    assert said.exit_code == 0, said.output
    assert "says otherwise" not in said.stderr
    assert json.loads((tmp_path / "said" / "lineage.json").read_text())["settings"]["kind"] == "sts"
    wrong = cosmith(*command, tmp_path / "wrong", "--kind", "stss")
    assert "[--kind]: unknown kind of task 'stss'" in wrong.stderr


def test_a_grid_between_base_and_tuned_model_and_its_front(world: Path, tmp_path: Path) -> None:
    """Chosen on the split dev unless another one is named."""
    command = ("--json", "merge", world / "other", "--base", world / "model", "--method", "interpolation")
    task = tmp_path / "task"
    shutil.copytree(world / "task", task)
    none = cosmith(*command, "--task", task, "--output", tmp_path / "m")
    assert none.exit_code == 1
    assert f"{task} [--split]: there are no judgements of the split 'dev', only of test. Name the one" in none.stderr
    (task / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq2\td\t1\n")
    grid = ("--grid", 0.1, "--grid", 0.6)
    done = cosmith(*command, *grid, "--task", task, "--output", tmp_path / "m")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [each["name"] for each in told["candidates"]] == ["other", "base", "0.9 base + 0.1 tuned",
                                                             "0.4 base + 0.6 tuned"]  # fmt: skip
    assert any(each["front"] for each in told["candidates"])
    assert told["chosen"]["dev"] == max(each["dev"] for each in told["candidates"] if each["name"] != "other")
    dev = Collection.read_beir(task, split="dev")
    assert told["chosen"]["dev"] == evaluate_retrieval(Encoder.load(tmp_path / "m"), dev, resamples=0).value
    card = json.loads((tmp_path / "m" / "lineage.json").read_text())
    assert (card["settings"]["grid"], card["settings"]["split"]) == ([0.1, 0.6], "dev")
    assert [each["front"] for each in card["candidates"]] == [each["front"] for each in told["candidates"]]
    no_grid = cosmith("merge", world / "model", world / "other", *grid, "--output", tmp_path / "n")
    assert "[--grid]: slerp has no grid" in no_grid.stderr
    assert not (tmp_path / "n").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--density", 0.2], "[--density]: slerp has no density. It belongs to ties: leave it out"),
        (["--method", "soup", "--scale", 3], "[--scale]: soup has no scale. It belongs to task-arithmetic and ties"),
        (
            ["--method", "greedy-soup", "--weight", 1, "--weight", 2],
            "[--weight]: greedy-soup has no weights. It belongs to soup, slerp, interpolation,",
        ),
        (["--split", "test"], "[--split]: without --task nothing is scored. Leave it out, or name a --task."),
        (["--kind", "sts"], "[--kind]: without --task nothing is scored. Leave it out, or name a --task."),
    ],
)
def test_what_a_merge_would_not_read_is_refused(options: list[object], said: str, world: Path, tmp_path: Path) -> None:
    refused = cosmith("merge", world / "model", world / "other", *options, "--output", tmp_path / "n")
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert not (tmp_path / "n").exists()


def test_recipes_can_be_listed_shown_and_checked(tmp_path: Path) -> None:
    listed = json.loads(cosmith("--json", "recipe", "list").stdout)["recipes"]
    assert {"pairs", "python-docs"} <= {each["name"] for each in listed}
    shown = cosmith("recipe", "show", "pairs").stdout
    mine = tmp_path / "mine.yaml"
    mine.write_text(shown)
    assert cosmith("recipe", "show", mine).stdout == shown
    mine.write_text(shown.replace("dev: data.dev", "dve: data.dev"))
    wrong = cosmith("recipe", "show", mine)
    assert wrong.exit_code == 1
    assert wrong.stderr.startswith(f"error: {mine}:")
    assert "'dev'" in wrong.stderr
    schema = json.loads(cosmith("recipe", "schema").stdout)
    assert "stages" in schema["properties"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "pears"], "'pairs'"),
        (["run", "pairs", "--size", "huge"], "no sizes"),
        (["run", "pairs", "--set", "train.stpes=1"], "'steps'"),
        (["run", "pairs", "--set", "steps"], "KEY=VALUE"),
        (["run", "pairs", "--set", "data.path=absent.jsonl"], "absent.jsonl"),
        (["encode", "no-such-model-here", "documents.jsonl", "-o", "v.npy"], "documents.jsonl"),
        (["search", "no-index", "x"], "index"),
    ],
)
def test_errors_are_a_line_on_stderr_and_leave_nothing(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cosmith(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_encode_gives_the_encoders_vectors_and_says_what_it_left_out(world: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    long = "word " * 300
    rows = [{"text": "red apples"}, {"text": "   "}, {"text": long}]
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows) + "not json\n")
    vectors = tmp_path / "vectors.npy"
    result = cosmith("encode", world / "model", texts, "--output", vectors, "--dim", 8, "--precision", "float32")
    assert result.exit_code == 0, result.stderr
    expected = Encoder.load(world / "model").encode(["red apples", long], dim=8)
    np.testing.assert_allclose(np.load(vectors), expected, atol=1e-6)
    assert "put aside 2 rows that cannot be used, e.g." in result.stderr
    assert "1 of 2 texts (50 %) is longer than 64 tokens and is cut" in result.stderr
    rejected = [json.loads(line) for line in (tmp_path / "vectors.rejected.jsonl").read_text().splitlines()]
    assert [row["line"] for row in rejected] == [2, 4]
    ids = [json.loads(line)["_id"] for line in (tmp_path / "vectors.ids.jsonl").read_text().splitlines()]
    assert ids == ["1", "3"]
    made = json.loads((tmp_path / "vectors.manifest.json").read_text())
    vectors_made = vectors_fingerprint(
        Encoder.load(world / "model", precision="float32"), prompt=None, instruction="", dim=8
    )
    assert EmbeddingFingerprint.from_json(made["fingerprint"]) == vectors_made
    assert (made["texts"], made["cut"], made["dim"]) == (2, 1, 8)


def test_encode_lists_what_is_cut_and_goes_on_only_with_the_same(world: Path, tmp_path: Path) -> None:
    texts, vectors = tmp_path / "texts.jsonl", tmp_path / "vectors"
    rows = [{"_id": f"n{number}", "text": "word " * (100 if number == 3 else number + 1)} for number in range(5)]
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    encode = ["encode", world / "model", texts, "--output", vectors, "--shard-size", 2, "--precision", "float32"]
    done = cosmith(*encode, "--token-counts", "--json")
    assert done.exit_code == 0, done.stderr
    said, tokens = json.loads(done.stdout), Encoder.load(world / "model").tokenize([row["text"] for row in rows])
    assert (said["texts"], said["cut"], said["tokens"]) == (5, 1, int(tokens.full_lengths.sum()))
    cut = [json.loads(line) for line in Path(said["cut_file"]).read_text().splitlines()]
    assert cut == [{"_id": "n3", "tokens": int(tokens.full_lengths[3])}]
    read = parquet.read_table(vectors)
    assert read["_id"].to_pylist() == [row["_id"] for row in rows]
    assert read["tokens"].to_pylist() == tokens.full_lengths.tolist()
    (vectors / "000001.parquet").unlink()  # as if killed there
    first = (vectors / "000000.parquet").stat().st_mtime_ns
    assert cosmith(*encode, "--token-counts").exit_code == 0
    assert (vectors / "000000.parquet").stat().st_mtime_ns == first
    assert parquet.read_table(vectors).equals(read)
    refused = cosmith(*encode, "--token-counts", "--prompt", "query")
    assert "made otherwise: prompt none there, query here" in refused.stderr
    texts.write_text(texts.read_text().replace("n2", "m2"))
    assert "000001.parquet: is of other texts than number 3 to 4" in cosmith(*encode, "--token-counts").stderr
    texts.write_text(texts.read_text().replace("m2", "n1"))
    assert f"{texts}:3 [_id]: the id 'n1' stands on line 2 already" in cosmith(*encode, "--token-counts").stderr


def test_of_pairs_index_takes_the_answers_and_encode_asks(world: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "faq.jsonl"
    pairs.write_text('{"question": "how to sort", "answer": "call sorted"}\n')
    index = ["index", world / "model", pairs, "--output", tmp_path / "index"]
    assert "1 document of the column 'answer' in" in cosmith(*index, "--quiet").stdout
    assert "1 text of the column 'answer' in" in cosmith(*index).stderr
    assert (
        json.loads(cosmith("search", tmp_path / "index", "sort", "--json").stdout)["hits"][0]["text"] == "call sorted"
    )
    encode = ["encode", world / "model", pairs, "--output", tmp_path / "v.npy"]
    refused = cosmith(*encode)
    assert refused.exit_code == 1
    assert "'question', 'answer'. Say which: --column question." in refused.stderr
    assert not (tmp_path / "v.npy").exists()
    said = json.loads(cosmith(*encode, "--column", "question", "--json").stdout)
    assert said["columns"] == {"text": "question"}


def test_encode_refuses_a_dim_that_the_model_has_not(world: Path, tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.npy"
    result = cosmith("encode", world / "model", world / "documents.jsonl", "-o", vectors, "--dim", 99)
    assert result.exit_code == 1
    assert "99" in result.stderr
    assert not list(tmp_path.iterdir())
    other = cosmith("encode", world / "model", world / "documents.jsonl", "-o", tmp_path / "vectors.txt")
    assert other.exit_code == 1
    assert "End it in .npy" in other.stderr


def test_an_index_in_a_compressed_form_is_searched_as_any(world: Path, tmp_path: Path) -> None:
    folder, form = tmp_path / "index", "cut16+int8, rescored x4 by float32"
    index = ["index", world / "model", world / "documents.jsonl", "--output", folder, "--precision", "float32"]
    done = cosmith(*index, "--form", form)
    assert f"{len(DOCUMENTS)} documents ({form}: 16 + 128 bytes a vector, in float32 128) of" in done.stdout
    said = json.loads(cosmith(*index, "--form", form, "--chunk-tokens", 12, "--json").stdout)
    assert (said["form"], said["bytes"], said["finer_bytes"]) == (form, 16, 128)
    found = json.loads(cosmith("search", folder, "red apples", "-k", 2, "--json").stdout)
    assert found["hits"][0]["id"] == "a"
    assert found["hits"][0]["score"] == pytest.approx(1.0, abs=1e-4)
    refused = cosmith(*index, "--form", "pca16+int9")
    assert refused.stderr.startswith("error: [--form]: 'pca16+int9': there is no code 'int9'.")


def test_index_and_search(world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    for texts in (world / "documents.jsonl", world / "task"):  # a file, and the corpus of a BEIR folder
        result = cosmith("--json", "index", world / "model", texts, "--output", folder, "--precision", "float32")
        assert json.loads(result.stdout)["documents"] == len(DOCUMENTS)
    found = [json.loads(line) for line in cosmith("search", folder, "red apples", "river", "-k", 9, "--json")
             .stdout.splitlines()]  # fmt: skip
    assert [each["query"] for each in found] == ["red apples", "river"]
    assert found[0]["hits"][0] == {"id": "a", "score": pytest.approx(1.0, abs=1e-4), "text": "red apples"}
    assert len(found[0]["hits"]) == len(DOCUMENTS)  # k may be larger than the corpus
    plain = cosmith("search", folder, "red apples", "-k", 1).stdout
    assert "red apples" in plain
    assert "1.000  a" in plain
    reranker = tiny_cross_encoder("bert")
    ranked = reranker.rank("river", list(DOCUMENTS.values()), top=2)
    path = reranker.save(tmp_path / "reranker")
    read = json.loads(cosmith("--json", "search", folder, "river", "-k", 2, "--reranker", path).stdout)
    assert [each["id"] for each in read["hits"]] == [list(DOCUMENTS)[number] for number, _ in ranked]
    late = LateInteractionEncoder.from_encoder(tiny_encoder("bert"), 8)
    read = json.loads(
        cosmith("--json", "search", folder, "river", "-k", 4, "--reranker", late.save(tmp_path / "late")).stdout
    )
    scores = dict(zip(DOCUMENTS, late.score(["river"] * len(DOCUMENTS), list(DOCUMENTS.values())), strict=True))
    assert [each["id"] for each in read["hits"]] == sorted(DOCUMENTS, key=lambda name: -scores[name])
    refused = cosmith("search", folder, "x", "--model", world / "other")
    assert refused.exit_code == 1
    assert "error: " in refused.stderr


def test_evaluate_a_collection_and_text_pairs(world: Path, tmp_path: Path) -> None:
    from cosmith.data import Collection
    from cosmith.evaluation import evaluate_retrieval

    result = cosmith("--json", "evaluate", world / "model", "--against", world / "other", "--bm25", "--precision",
                     "float32", "--task", world / "task", "--output", tmp_path)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    expected = evaluate_retrieval(Encoder.load(world / "model"), Collection.read_beir(world / "task"))
    values = {each["model"].rpartition("/")[2]: each["values"] for each in said["models"]}
    assert set(values) == {"other", "model", "BM25"}
    assert values["model"]["ndcg@10"] == pytest.approx(expected.value)
    assert values["BM25"]["recall@1"] == 1.0
    assert said["differences"][0]["over"] == "other"
    assert len(list(tmp_path.glob("*.json"))) == 3
    table = cosmith("evaluate", world / "model", "--task", world / "task", "--task", world / "sts.tsv").stdout
    assert "ndcg@10" in table
    assert "spearman" in table
    refused = cosmith("evaluate", world / "model", "--task", world / "sts.tsv", "--bm25")
    assert refused.exit_code == 1
    assert "--bm25" in refused.stderr


def test_global_flags_may_stand_anywhere_before_two_dashes() -> None:
    assert flags_first(["search", "i", "x", "--json"]) == ["--json", "search", "i", "x"]
    assert flags_first(["search", "i", "--", "--json"]) == ["search", "i", "--", "--json"]
