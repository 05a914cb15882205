"""Every kind of task, scored by Cosmith and by the package `mteb` on the same data with the same vectors.

python -m benchmarks.quality.mteb_parity --data ../shared/data

The vectors are a random one for each word, added up: they need no model, and the comparison is of protocols. Three
models have them: one whose vectors have length one, and two that leave lengths drawn by the text, from a half to two,
the one compared by cosine, the other by dot product. `mteb` is no dependency of Cosmith; install it beside it. Word
similarity and analogies are no kinds of mteb's.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from cosmith.data.test_sets import Summaries
from cosmith.evaluation.mteb import wrap
from cosmith.evaluation.task_files import read_task
from cosmith.evaluation.tasks import EvaluationTask, SubsetsTask, task_of
from cosmith.models.similarity import Similarity

TOLERANCE = 1e-4
SETS = (
    "stsb", "twitter-url", "banking77", "clus-stackoverflow", "wikiqa", "tatoeba", "scifact", "cranfield", "medquad",
)  # fmt: skip

# Ours → theirs, by kind.
METRICS: Mapping[str, Mapping[str, str]] = {
    "sts": {
        "spearman": "cosine_spearman", "pearson": "cosine_pearson",
        "dot_spearman": "spearman", "dot_pearson": "pearson",  # by the model's own similarity, in mteb
    },
    "pair-classification": {
        f"{similarity}_{metric}": f"{similarity}_{metric}"
        for similarity in ("cosine", "dot", "euclidean", "manhattan", "max")
        for metric in ("ap", "accuracy", "f1", "precision", "recall")
    },
    "classification": {
        name: name
        for name in ("accuracy", "f1", "f1_weighted", "precision", "precision_weighted", "recall", "recall_weighted")
    },
    "clustering": {"v_measure": "v_measure", "v_measure_std": "v_measure_std", "ami": "ami"},
    "reranking": {"map@1000": "map_at_1000", "mrr@10": "mrr_at_10", "ndcg@10": "ndcg_at_10", "recall@1": "recall_at_1"},
    "retrieval": {
        f"{ours}@{k}": f"{theirs}_at_{k}"
        for ours, theirs in (("ndcg", "ndcg"), ("map", "map"), ("recall", "recall"), ("precision", "precision"),
                             ("mrr", "mrr"), ("success", "hit_rate"))
        for k in (1, 3, 5, 10, 100)
    },
    "bitext-mining": {"f1": "f1", "precision": "precision", "accuracy": "accuracy"},
    "summarisation": {"cosine_spearman": "cosine_spearman", "cosine_pearson": "cosine_pearson"},
}  # fmt: skip


class RandomWords:
    """A text's vector is the mean of those of its words, which are drawn by their hash; unit length."""

    max_length = 1_000_000
    name = "random words"

    def __init__(self, dimension: int = 64) -> None:
        self.dimension = dimension
        self._word = cache(self._drawn)

    def _drawn(self, word: str) -> np.ndarray:
        return np.random.default_rng(xxhash.xxh3_64_intdigest(word.encode())).normal(size=self.dimension)

    def encode(
        self, texts: Sequence[str], *, prompt: str | None = None, instruction: str = "", dim: int | None = None,
        show_progress: str | None = None,
    ) -> np.ndarray:  # fmt: skip
        none = np.zeros(self.dimension)
        rows = [np.sum([self._word(word) for word in re.findall(r"\w+", text.lower())] or [none], 0) for text in texts]
        vectors = np.array(rows, dtype=np.float32)[:, :dim]
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def fingerprint(self) -> str:
        return f"random-words-{self.dimension}"


class UnscaledRandomWords(RandomWords):
    """The same vectors, of lengths that their modules are said to leave: from a half to two, drawn by the text's hash.

    Args:
        similarity: By what they are compared.
        dimension: Numbers of a vector.
    """

    normalises = False

    def __init__(self, similarity: Similarity, dimension: int = 64) -> None:
        super().__init__(dimension)
        self.similarity, self.name = similarity, f"random words of random lengths, {similarity}"

    def encode_unscaled(self, texts: Sequence[str], **how: Any) -> np.ndarray:
        drawn = np.array([np.random.default_rng(xxhash.xxh3_64_intdigest(text.encode())).random() for text in texts])
        lengths = np.exp2(2 * drawn - 1).astype(np.float32)
        return np.asarray(self.encode(texts, **how) * lengths[:, None], dtype=np.float32)

    def fingerprint(self) -> str:
        return f"{super().fingerprint()}-{self.similarity}"


@dataclass(frozen=True)
class Compared:
    """A metric by both."""

    task: str
    kind: str
    metric: str
    ours: float
    theirs: float

    @property
    def difference(self) -> float:
        return abs(self.ours - self.theirs)


def compare(task: EvaluationTask, encoder: Any) -> list[Compared]:
    """All metrics that both have; of several sets, those of each."""
    if isinstance(task, SubsetsTask):
        return [each for part in task.parts for each in compare(part, encoder)]
    ours = task.evaluate(encoder, resamples=0).values
    theirs = by_mteb(task, encoder)
    return [
        Compared(task.name, task.kind, metric, ours[metric], float(theirs[name]))
        for metric, name in METRICS[task.kind].items()
        if metric in ours
    ]


def by_mteb(task: EvaluationTask, encoder: Any) -> Mapping[str, Any]:
    """The scores that `mteb` gives for a task's data."""
    theirs = mteb_task(task)
    scores = theirs.evaluate(wrap(encoder), "test", encode_kwargs={"batch_size": 32})
    found: Mapping[str, Any] = scores["default"]
    return found


def mteb_task(task: EvaluationTask) -> Any:
    """A task's data as a task of `mteb`, which is told no data set to load."""
    from datasets import Dataset
    from mteb.abstasks.classification import AbsTaskClassification
    from mteb.abstasks.clustering import AbsTaskClustering
    from mteb.abstasks.pair_classification import AbsTaskPairClassification
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.sts import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.abstasks.text.bitext_mining import AbsTaskBitextMining
    from mteb.abstasks.text.summarization import AbsTaskSummarization

    def made(base: type, task_type: str, main: str, dataset: Any, **settings: Any) -> Any:
        metadata = TaskMetadata(
            dataset={"path": "none", "revision": "none"}, name="Parity", description="", type=task_type,
            eval_splits=["test"], eval_langs=["eng-Latn"], main_score=main,
        )  # fmt: skip
        theirs = type("Parity", (base,), {"metadata": metadata, "load_data": lambda self, **_: None, **settings})()
        theirs.dataset, theirs.data_loaded = dataset, True
        return theirs

    data: Any = getattr(task, "data", None)

    def sts() -> Any:
        rows = {"sentence1": data.first, "sentence2": data.second, "score": data.scores}
        return made(AbsTaskSTS, "STS", "cosine_spearman", {"test": Dataset.from_dict(rows)})

    def pairs() -> Any:
        rows = {"sentence1": data.first, "sentence2": data.second, "labels": data.alike.astype(int)}
        return made(AbsTaskPairClassification, "PairClassification", "max_ap", {"test": Dataset.from_dict(rows)})

    def classification() -> Any:
        classes = sorted({*data.train.labels, *data.test.labels})
        parts = {
            name: Dataset.from_dict({"text": part.texts, "label": [classes.index(label) for label in part.labels]})
            for name, part in (("train", data.train), ("test", data.test))
        }
        return made(AbsTaskClassification, "Classification", "accuracy", parts, samples_per_label=task.samples)  # type: ignore[attr-defined]

    def clustering() -> Any:
        rows = {"sentences": data.texts, "labels": [data.classes.index(label) for label in data.labels]}
        return made(
            AbsTaskClustering, "Clustering", "v_measure", {"test": Dataset.from_dict(rows)},
            max_document_to_embed=task.embed, max_fraction_of_documents_to_embed=None,  # type: ignore[attr-defined]
            max_documents_per_cluster=task.sample,  # type: ignore[attr-defined]
        )  # fmt: skip

    def searched(documents: Mapping[str, str], queries: Mapping[str, str], relevance: Any, candidates: Any) -> Any:
        split = {
            "corpus": Dataset.from_dict({"id": list(documents), "title": [""] * len(documents),
                                         "text": list(documents.values())}),
            "queries": Dataset.from_dict({"id": list(queries), "text": list(queries.values())}),
            "relevant_docs": {query: dict(grades) for query, grades in relevance.items()},
            "top_ranked": candidates,
        }  # fmt: skip
        kind = "Retrieval" if candidates is None else "Reranking"
        return made(AbsTaskRetrieval, kind, "ndcg_at_10", {"default": {"test": split}})

    def retrieval() -> Any:
        return searched(data.documents, data.queries, data.relevance, None)

    def reranking() -> Any:
        documents, queries, relevance, candidates = {}, {}, {}, {}
        for number, (query, answers, others) in enumerate(
            zip(data.queries, data.positives, data.negatives, strict=True)
        ):
            name = f"query{number}"
            queries[name] = query
            names = [f"apositive_{name}_{place:05}" for place in range(len(answers))]
            names += [f"negative_{name}_{place:05}" for place in range(len(others))]
            documents |= dict(zip(names, (*answers, *others), strict=True))
            relevance[name] = {each: int(place < len(answers)) for place, each in enumerate(names)}
            candidates[name] = names
        return searched(documents, queries, relevance, candidates)

    def bitext() -> Any:
        rows = {"sentence1": data.first, "sentence2": data.second}
        return made(AbsTaskBitextMining, "BitextMining", "f1", {"test": Dataset.from_dict(rows)})

    def summarisation() -> Any:
        rows = {
            "text": [""] * len(data), "human_summaries": data.human, "machine_summaries": data.machine,
            "relevance": data.scores,
        }  # fmt: skip
        return made(
            AbsTaskSummarization, "Summarization", "cosine_spearman", {"test": Dataset.from_dict(rows)},
            min_score=0, max_score=5,
        )  # fmt: skip

    makers: Mapping[str, Callable[[], Any]] = {
        "sts": sts, "pair-classification": pairs, "classification": classification, "clustering": clustering,
        "retrieval": retrieval, "reranking": reranking, "bitext-mining": bitext, "summarisation": summarisation,
    }  # fmt: skip
    return makers[task.kind]()


def summaries_of_words(count: int = 40) -> Summaries:
    """Summaries that are drawn, since the real sets have none: machines keep some of the words of people's."""
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(200)]

    def drawn(size: int) -> list[str]:
        return [str(word) for word in rng.choice(words, size, replace=False)]

    human, machine, scores = [], [], []
    for _ in range(count):
        told = drawn(12)
        human.append((" ".join(told), " ".join(told[:8] + drawn(4))))
        kept = rng.integers(0, 13, 6)
        machine.append(tuple(" ".join([*told[:size], *drawn(12 - size)]) for size in kept))
        scores.append(tuple(float(size) / 3 + float(rng.integers(0, 3)) / 3 for size in kept))
    return Summaries(human, machine, scores)


def read_all(data: Path) -> Iterator[EvaluationTask]:
    """The tasks of the folder of real data sets that `mteb` has a kind for, and drawn summaries."""
    for name in SETS:
        yield read_task(data / name).task
    yield task_of("drawn summaries", summaries_of_words())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data sets")
    parser.add_argument("--output", type=Path, help="also write the result there, as Markdown")
    given = parser.parse_args()
    import mteb

    from benchmarks import interleaved

    models = {"length one": RandomWords()} | {
        f"any length, {similarity}": UnscaledRandomWords(similarity) for similarity in ("cosine", "dot")
    }
    lines = [
        "| task | kind | vectors | metrics | main: Cosmith | mteb | greatest difference |",
        "|---|---|---|---|---|---|---|",
    ]
    for task, (called, encoder) in product(read_all(given.data), models.items()):
        began = time.perf_counter()
        found = compare(task, encoder)
        main_one = next(each for each in found if each.metric == task.main)
        worst = max(found, key=lambda each: each.difference)
        at = f" ({worst.task}, {worst.metric})" if worst.difference > TOLERANCE else ""
        lines.append(
            f"| {task.name} | {task.kind} | {called} | {len(found)} | {main_one.ours:.6f} | {main_one.theirs:.6f} |"
            f" {worst.difference:.1e}{at} |"
        )
        print(lines[-1], f"{time.perf_counter() - began:.0f} s", flush=True)
    notes = (
        f"The same random word vectors for both; mteb {mteb.__version__}. Three models: one leaves vectors of length"
        " one, two leave lengths from a half to two, drawn by the text, and are compared by cosine or by dot product"
        " (the main metric of STS and of summaries is by cosine all the same, in mteb, too). Of tatoeba every language"
        " is compared, and the figures beside it are those of the first. The real sets hold no summaries: these are"
        " drawn. mteb has no word similarity and no analogies."
    )
    command = [f"--data {given.data.name}"]
    table = "\n".join(lines)
    interleaved.write_up("Parity with mteb", "benchmarks.quality.mteb_parity", command, notes, table, given.output)


if __name__ == "__main__":
    main()
