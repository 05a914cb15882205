"""An encoder of Cosmith's in `mteb.evaluate`, on tasks of a few texts that need no network."""

from __future__ import annotations

import sys
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cosmith.data import Collection
from cosmith.errors import InputError
from cosmith.evaluation import evaluate_retrieval
from cosmith.evaluation.mteb import wrap
from cosmith.models import CachedEncoder, VectorCache

WORDS = ["apple", "bread", "cloud", "drum", "engine", "forest", "glass", "harbour", "island", "jacket", "kettle", "oar"]
COLLECTION = Collection(
    "words",
    {f"d{n}": f"all about the {WORDS[n]} and {WORDS[n - 5]} and so on" for n in range(12)},
    {f"q{n}": f"what is a {WORDS[n]}" for n in range(12)},
    {f"q{n}": {f"d{n}": 1} for n in range(12)},
)


def task(base: str, kind: str, main: str, dataset: Any, prompt: Any = None) -> Any:
    """A task of mteb's that has its data already."""
    mteb = pytest.importorskip("mteb", reason="needs mteb: pip install 'cosmith[mteb]'")
    from mteb.abstasks.task_metadata import TaskMetadata

    metadata = TaskMetadata(
        dataset={"path": "none", "revision": "none"}, name="Words", description="", type=kind, prompt=prompt,
        eval_splits=["test"], eval_langs=["eng-Latn"], main_score=main, modalities=["text"],
    )  # fmt: skip
    own = {"metadata": metadata, "load_data": lambda self, *_, **__: None}
    made = type("Words", (getattr(mteb.abstasks, base),), own)()
    made.dataset, made.data_loaded = dataset, True
    return made


def retrieval(prompt: Any = None) -> Any:
    datasets = pytest.importorskip("datasets")
    texts = {"id": list(COLLECTION.documents), "title": [""] * 12, "text": list(COLLECTION.documents.values())}
    split = {
        "corpus": datasets.Dataset.from_dict(texts),
        "queries": datasets.Dataset.from_dict(
            {"id": list(COLLECTION.queries), "text": list(COLLECTION.queries.values())}
        ),
        "relevant_docs": {query: dict(grades) for query, grades in COLLECTION.relevance.items()},
        "top_ranked": None,
    }
    return task("AbsTaskRetrieval", "Retrieval", "ndcg_at_10", {"default": {"test": split}}, prompt)


def sts(prompt: Any = None) -> Any:
    datasets = pytest.importorskip("datasets")
    rows = {"sentence1": ["red apple", "a drum", "an oar"], "sentence2": ["green apple", "a cloud", "an oar or two"],
            "score": [4.0, 0.0, 5.0]}  # fmt: skip
    return task("AbsTaskSTS", "STS", "cosine_spearman", {"test": datasets.Dataset.from_dict(rows)}, prompt)


def evaluated(model: Any, each: Any) -> float:
    import mteb

    result = mteb.evaluate(model, [each], cache=None, show_progress_bar=False, co2_tracker=False)
    return float(result.task_results[0].get_score())


@pytest.mark.parametrize("dim", [None, 6])
def test_mteb_finds_what_cosmith_finds(words_encoder: Any, dim: int | None) -> None:
    encoder = words_encoder(dimension=16)
    theirs = retrieval()
    ours = evaluate_retrieval(encoder, COLLECTION, dim=dim, resamples=0)
    assert evaluated(wrap(encoder, dim=dim), theirs) == pytest.approx(ours.value, abs=1e-5)  # which it rounds to


def test_prompts_and_instructions_are_those_of_cosmiths_tasks(words_encoder: Any) -> None:
    asked = retrieval({"query": "Find words."})  # first: it skips where there is no mteb
    encoder = words_encoder()
    evaluated(wrap(encoder), asked)
    assert {prompt for _, prompt in encoder.calls} == {"query", "document"}
    encoder.calls.clear()
    assert evaluated(wrap(encoder), sts("Compare.")) > 0
    assert {prompt for _, prompt in encoder.calls} == {None}


class _Told:
    """Keeps what it was told, of each call; a prompt of its has a place for an instruction."""

    prompts = MappingProxyType({"query": "Instruct: {task}\nQuery: "})
    dimension, max_length, name = 4, 9, "told"

    def __init__(self) -> None:
        self.told: list[tuple[str | None, str]] = []

    def encode(self, texts: Any, *, prompt: Any = None, instruction: str = "", dim: Any = None, **_: Any) -> np.ndarray:
        self.told.append((prompt, instruction))
        return np.ones((len(texts), 4), dtype=np.float32)[:, :dim]

    def fingerprint(self) -> str:
        return "told"


def test_a_model_that_takes_instructions_is_told_them(tmp_path: Path) -> None:
    pytest.importorskip("mteb", reason="needs mteb: pip install 'cosmith[mteb]'")
    of_queries = SimpleNamespace(name="A", prompt={"query": "Find it."})
    of_all = SimpleNamespace(name="B", prompt="Compare them.")
    silent = SimpleNamespace(name="C", prompt=None)
    encoder = _Told()
    batches = [{"text": ["a", "b"]}, {"text": ["c"]}]
    for model in (wrap(encoder), wrap(CachedEncoder(encoder, VectorCache(tmp_path / "vectors.sqlite")))):
        encoder.told.clear()
        for metadata, kind in ((of_queries, "query"), (of_queries, "document"), (of_all, None), (silent, None)):
            assert model.encode(batches, task_metadata=metadata, prompt_type=kind).shape == (3, 4)
        assert encoder.told == [("query", "Find it."), ("document", ""), ("query", "Compare them."), (None, "")]
    wrap(encoder, instructions={"C": "Otherwise."}).encode(batches, task_metadata=silent)
    assert encoder.told[-1] == ("query", "Otherwise.")


def test_results_are_filed_by_fingerprint(words_encoder: Any) -> None:
    pytest.importorskip("mteb", reason="needs mteb: pip install 'cosmith[mteb]'")
    one, other = wrap(words_encoder(), name="mine"), wrap(words_encoder(seed=1), name="mine", dim=8)
    assert one.mteb_model_meta.name == "cosmith/mine"
    assert (one.mteb_model_meta.revision, other.mteb_model_meta.revision) == ("words-0-64", "words-1-64-8")
    assert other.mteb_model_meta.embed_dim == 8
    assert other.mteb_model_meta.to_dict()["similarity_fn_name"] == "cosine"
    with pytest.raises(InputError, match="between 1 and the model's 64"):
        wrap(words_encoder(), dim=65)


def test_without_mteb_the_error_says_what_to_install(words_encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    monkeypatch.setitem(sys.modules, "mteb.models", None)
    with pytest.raises(InputError, match=r"pip install .cosmith\[mteb\]"):
        wrap(words_encoder())
