"""A run folder as the recipes write it, made up: every kind of stage, with figures that hang together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosmith.evaluation import Scores
from cosmith.evaluation.significance import bootstrap_interval

RunMaker = Callable[..., Path]

CODE = """def merge(first, second, key=identity):
    result = []
    while first and second:
        smaller = first if key(first[0]) <= key(second[0]) else second
        result.append(smaller.pop(0))
    return result + first + second"""

METRICS = ("ndcg@10", "recall@1", "recall@10", "recall@100", "mrr@10")
ORDER = ("data", "estimate", "baseline", "mined", "train", "evaluation", "comparison", "index")
KINDS = dict(
    zip(
        ORDER,
        ("python-functions", "estimate", "evaluate", "mine", "train", "evaluate", "compare", "index"),
        strict=True,
    )
)


def made_scores(task: str, model: str, level: float, queries: int) -> Scores:
    rng = np.random.default_rng(7)  # the same queries are hard for every model
    hardness = rng.random(queries)
    noise = np.random.default_rng(len(model)).normal(0, 0.08, queries)
    per_query = {
        metric: np.clip(level + shift + 0.7 * (hardness - 0.5) + noise, 0, 1)
        for shift, metric in zip((0.0, -0.1, 0.15, 0.25, -0.03), METRICS, strict=True)
    }
    per_query["map@100"] = per_query["mrr@10"] * 0.9
    intervals = {metric: bootstrap_interval(per_query[metric], resamples=200) for metric in METRICS}
    values = {metric: float(each.mean()) for metric, each in per_query.items()}
    return Scores(task, model, "ndcg@10", values, intervals, per_query, tuple(f"q{n}" for n in range(queries)))


def made_cut(model: str) -> list[dict[str, Any]]:
    return [
        {"task": "data.test", "model": model, "what": "documents", "count": 312, "of": 3_000, "limit": 128},
        {"task": "data.test", "model": model, "what": "queries", "count": 0, "of": 60, "limit": 128},
    ]


def made_errors(model: str) -> dict[str, Any]:
    """Where a model errs, as the stage keeps it: of JSON's types only."""
    groups = [
        {"label": label, "count": 20, "value": 0.6, "interval": {"low": 0.5, "high": 0.7, "level": 0.95}}
        for label in ("3–5", "6–9", "10–31")
    ]
    shown = {"document_id": "bisect:insort", "text": "insert into a sorted list", "relevant": False}
    answer = {"document_id": "heapq:merge", "text": "merge sorted inputs", "relevant": True}
    query = {"query_id": "q1", "query": "merge two sorted lists"}
    return {
        "task": "data.test", "model": model, "metric": "ndcg@10", "queries": 60, "unit": "words",
        "by_query_length": groups, "by_document_length": groups,
        "ranks": [{"label": "1", "count": 40}, {"label": "2–3", "count": 20}],
        "wrong": [query | {"wrong": shown, "judged": False, "answer": answer, "rank": 3, "lead": 0.1}],
        "unlabelled": [
            query | {"document": shown, "answer": answer, "models": [model], "rank": 1, "lead": 0.1, "same_text": False}
        ],
        "truncation": {
            "limit": 128, "documents": 3_000, "documents_cut": 312, "queries_cut": 0, "tokens_lost": 0.04,
            "answer_cut": groups[0], "answer_whole": groups[1],
        },
    }  # fmt: skip


def made_results(queries: int = 60) -> dict[str, dict[str, Any]]:
    levels = {"base": 0.6, "bm25": 0.42, "train": 0.7}
    scores = {
        (task, model): made_scores(task, model, level + (0.2 if task == "general-check" else 0.0), queries)
        for task in ("data.test", "general-check")
        for model, level in levels.items()
    }
    scores["general-check", "train"] = made_scores("general-check", "train", 0.78, queries)

    def row(task: str) -> dict[str, Any]:
        found = scores[task, "train"].compare(scores[task, "base"], resamples=500)
        return {
            "task": task,
            "metric": found.metric,
            "before": scores[task, "base"].value,
            "after": scores[task, "train"].value,
            "difference": found.difference,
            "low": found.interval.low,
            "high": found.interval.high,
            "level": 0.95,
            "p_value": found.p_value,
            "wins": found.wins,
            "losses": found.losses,
            "ties": found.ties,
            "unit": "queries",
        }

    def change(before: int | None, after: int | None) -> dict[str, Any]:
        return {
            "query": "Merge two sorted lists into one that is sorted",
            "document": " ".join(CODE.split()),
            "before": 0.2,
            "after": 1.0,
            "rank_before": before,
            "rank_after": after,
            "top_before": "def sort_list(values): return sorted(values, key=lambda value: value.rank)",
            "top_after": " ".join(CODE.split()),
        }

    hits = [
        {"id": "heapq:merge", "score": 0.71, "text": CODE},
        {"id": "bisect:insort", "score": 0.64, "text": "def insort(a, x):\n    a.insert(bisect(a, x), x)"},
        {"id": "notes:prose", "score": 0.6, "text": "Lists that are sorted may be merged in linear time."},
    ]
    edges = np.linspace(4, 260, 25).tolist()
    counts = [int(900 * np.exp(-(n**1.2) / 9)) for n in range(24)]
    return {
        "data": {
            "packages": 254,
            "functions": 72024,
            "pairs": 28956,
            "dropped": {"body too short": 14663, "over the limit": 10572, "duplicate query": 7102, "no body": 2004},
            "splits": {
                "train": {"pairs": 6000, "packages": 152},
                "dev": {"queries": 300, "documents": 1000, "packages": 44},
                "test": {"queries": queries, "documents": 3000, "packages": 58},
            },
            "distractors": 3000 - queries,
            "examples": [
                {"query": "Merge two sorted lists into one", "document": CODE, "package": "stdlib:heapq"},
                {"query": "Say where the answer is", "document": "It is in prose.", "package": "notes"},
            ],
        },
        "estimate": {
            "tokens_per_step": 9120.4,
            "steps": 94,
            "seconds": 212.0,
            "peak_bytes": 1_734_000_000,
            "padding_share": 0.62,
            "cut_queries": {"what": "queries", "count": 3, "of": 7_500, "limit": 256},
            "cut_documents": {"what": "documents", "count": 1_278, "of": 6_000, "limit": 128},
            "device": "cpu",
            "precision": "bf16",
            "lengths": {
                "query": {"edges": np.linspace(4, 76, 25).tolist(), "counts": counts, "max_length": 256},
                "document": {"edges": edges, "counts": counts, "beyond": 0.0083, "max_length": 128},
            },
        },
        "baseline": {
            "scores": [each.to_dict() for (_, model), each in scores.items() if model != "train"],
            "cut": made_cut("base"),
        },
        "mined": {
            "rows": 6000,
            "negatives": 11987,
            "rejected_likely_positives": 341,
            "short_rows": 13,
            "mean_positive_score": 0.52,
            "mean_negative_score": 0.44,
            "histograms": {
                "answers": {"edges": [0.2, 0.4, 0.6, 0.8], "counts": [900, 3100, 2000]},
                "negatives": {"edges": [0.2, 0.4, 0.6, 0.8], "counts": [4200, 6900, 887]},
            },
            "examples": [{"query": "Merge two lists", "positive": CODE, "negatives": ["def split(a): return a, []"]}],
            "likely_positives": [
                {"query": "Merge two sorted lists", "document": CODE, "score": 0.61, "positive_score": 0.59}
            ],
        },
        "train": {
            "steps": 94,
            "seconds": 231.5,
            "pairs": 6000,
            "pairs_per_second": 31.4,
            "stopped_early": False,
            "best_step": 80,
            "best_dev": 0.712,
            "base_dev": 0.631,
            "final_dev": 0.718,
            "interpolation": [
                {"alpha": alpha, "dev": 0.631 + 0.16 * alpha - 0.075 * alpha**2}
                for alpha in (0.0, 0.25, 0.5, 0.75, 1.0)
            ],
            "alpha": 0.75,
            "peak_bytes": 1_900_000_000,
        },
        "evaluation": {
            "scores": [scores[task, "train"].to_dict() for task in ("data.test", "general-check")],
            "cut": made_cut("train"),
        },
        "comparison": {
            "before": "base",
            "after": "train",
            "tasks": [row("data.test"), row("general-check")],
            "gained": [change(17, 1), change(None, 4)],
            "lost": [change(1, 6)],
            "errors": [made_errors("base"), made_errors("train")],
            "metrics": [],
        },
        "index": {
            "documents": 3000,
            "dimension": 384,
            "seconds": 21.3,
            "bytes": 5_900_000,
            "searches": [
                {"query": "merge sorted lists", "before": hits[::-1], "after": hits, "relevant": ["heapq:merge"]},
                {"query": "my own search", "before": hits, "after": hits[:1], "relevant": []},
            ],
        },
    }  # fmt: skip


def write_stage(run: Path, name: str, kind: str, result: dict[str, Any], number: int = 0) -> None:
    folder = run / name
    folder.mkdir(parents=True)
    record = {
        "name": name,
        "kind": kind,
        "fingerprint": f"{number:02x}" * 16,
        "seconds": 3.5 + 17 * number,
        "finished": f"2026-11-21T10:{number:02}:00+0000",
        "config": {"seed": 0},
        "inputs": {},
        "outputs": {},
        "cosmith": "0.1.0",
    }
    (folder / "stage.json").write_text(json.dumps(record))
    (folder / "result.json").write_text(json.dumps(result))
    if kind == "train":
        (folder / "metrics.jsonl").write_text(metrics_lines())


def metrics_lines() -> str:
    rng = np.random.default_rng(0)
    lines = []
    for step in range(1, 95):
        loss = 0.9 * np.exp(-step / 30) + 0.35 + rng.normal(0, 0.06)
        lines.append(
            {"step": step, "loss": loss, "learning_rate": 2e-5, "gradient_norm": 1.2, "pairs_per_second": 31.0}
        )
        if step % 10 == 0:
            lines.append({"step": step, "dev": 0.712 - 0.08 * np.exp(-step / 25) - (0.004 if step > 80 else 0)})
    return "\n".join(map(json.dumps, lines)) + "\n" + '{"step": 95, "lo'


@pytest.fixture(scope="session")
def results() -> dict[str, dict[str, Any]]:
    return made_results()


@pytest.fixture
def make_run(tmp_path: Path, results: dict[str, dict[str, Any]]) -> RunMaker:
    """Write a run: of all stages or those named, with some results changed."""

    def make(stages: tuple[str, ...] = ORDER, **changed: dict[str, Any]) -> Path:
        run = tmp_path / "runs" / "python-docs"
        run.mkdir(parents=True)
        for number, name in enumerate(ORDER):
            if name in stages:
                write_stage(run, name, KINDS[name], {**results[name], **changed.get(name, {})}, number)
        recipe = "name: python-docs\nstages:\n" + "".join(f"  {name}: {{kind: {KINDS[name]}}}\n" for name in stages)
        (run / "recipe.yaml").write_text("# <as given>\n" + recipe)
        (run / "recipe.resolved.yaml").write_text(recipe)
        about = {
            "name": "python-docs",
            "description": "Find a Python function by what it does.",
            "base": "all-MiniLM-L6-v2",
            "seed": 0,
            "size": "medium",
            "machine": {"processor": "A processor", "cores": 2, "memory_bytes": 24 * 2**30, "torch": "2.13.0"},
            "stages": [],
        }
        (run / "results.json").write_text(json.dumps(about))
        return run

    return make
