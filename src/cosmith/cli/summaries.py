"""What each kind of stage found, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from cosmith.cli.manner import first_code_lines, one_line, table
from cosmith.progress import clock

Result = Mapping[str, Any]


def summary(kind: str, result: Result, folder: Path) -> list[str]:
    """The lines for a stage's result.

    Args:
        kind: The kind of stage.
        result: The content of its `result.json`.
        folder: The stage's folder, for what lies there.
    """
    return _SUMMARIES[kind](result, folder)


def _data(result: Result, folder: Path) -> list[str]:
    lines = []
    if "functions" in result:
        lines.append(
            f"{result['pairs']:,} pairs of {result['packages']:,} packages, from {result['functions']:,} functions"
            " with a docstring"
        )
    elif "pairs" in result:
        lines.append(f"{result['pairs']:,} rows")
    dropped = result.get("dropped") or {}
    if dropped:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in dropped.items())
        lines.append(f"dropped {sum(dropped.values()):,}: {reasons}")
    if result.get("rejected_file"):
        lines.append(f"rows that could not be used: {result['rejected_file']}")
    for name, counts in result.get("splits", {}).items():
        lines.append(f"{name}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
    if result.get("distractors"):
        lines.append(f"{result['distractors']:,} documents of the test set answer no query")
    for example in result.get("examples", [])[:1]:
        lines += ["e.g. " + one_line(example["query"]), *(f"     {line}" for line in _code(example["document"]))]
    return lines


def _estimate(result: Result, folder: Path) -> list[str]:
    return [
        f"{result['steps']:,} steps of about {result['tokens_per_step']:,.0f} tokens, {result['precision']} on"
        f" {result['device']}",
        f"about {clock(result['seconds'])}, without evaluations, and {_bytes(result['peak_bytes'])} of memory",
        f"padding would have wasted {result['padding_share']:.0%} of the work; there is none",
        f"cut at the maximum length: {_share(result['cut_queries'])} of the queries,"
        f" {_share(result['cut_documents'])} of the documents",
    ]


def _evaluate(result: Result, folder: Path) -> list[str]:
    from cosmith.evaluation import Scores

    by_task: dict[str, list[Scores]] = {}
    for each in result["scores"]:
        by_task.setdefault(each["task"], []).append(Scores.from_dict(each))
    lines: list[str] = []
    for scores in by_task.values():
        lines += scores[0].table(*scores[1:]).splitlines()
    return lines


def _mine(result: Result, folder: Path) -> list[str]:
    lines = [f"{result['negatives']:,} negatives for {result['rows']:,} rows"]
    if result.get("rejected_likely_positives"):
        lines.append(
            f"{result['rejected_likely_positives']:,} candidates were left out: they score so close to the answer that"
            " they are likely answers themselves"
        )
    if result.get("short_rows"):
        lines.append(f"{result['short_rows']:,} rows have fewer negatives than asked for")
    if result.get("mean_positive_score") is not None and result.get("mean_negative_score") is not None:
        lines.append(
            f"mean score of the answers {result['mean_positive_score']:.3f}, of the negatives"
            f" {result['mean_negative_score']:.3f}"
        )
    for example in result.get("examples", [])[:1]:
        lines.append("e.g. " + one_line(example["query"]))
        lines += [f"     not: {one_line(text)}" for text in example["negatives"][:1]]
    return lines


def _train(result: Result, folder: Path) -> list[str]:
    rate = result.get("pairs_per_second")
    lines = [
        f"{result['steps']:,} steps in {clock(result['seconds'])}"
        + (f", {rate:,.1f} pairs/s" if rate else "")
        + f", at most {_bytes(result['peak_bytes'])} of memory"
    ]
    if result.get("base_dev") is not None:
        lines.append(
            f"development set: {result['base_dev']:.4f} before, {result['best_dev']:.4f} at best (step"
            f" {result['best_step']:,})"
        )
    if result.get("interpolation"):
        grid = ", ".join(f"{each['alpha']:g}: {each['dev']:.4f}" for each in result["interpolation"])
        lines.append(f"between the two models, by the share of the trained one: {grid}")
        if result["alpha"] == 0:
            lines.append("the base model itself is best, and is kept: training has not helped on the development set")
        else:
            lines.append(f"kept: {result['alpha']:g}, never worse than the base on the development set")
    return [*lines, f"model: {folder / 'model'}"]


def _texts(result: Result, folder: Path) -> list[str]:
    return [f"{result['texts']:,} texts, {result['characters']:,} characters", *_data(result, folder)]


def _initialise(result: Result, folder: Path) -> list[str]:
    return [
        f"{result['parameters']:,} random weights, {result['tokens']:,} tokens learnt from {result['texts']:,} texts",
        f"model: {folder / 'model'}",
    ]


def _merge(result: Result, folder: Path) -> list[str]:
    return [*merge_lines(result), f"model: {folder / 'model'}"]


def merge_lines(result: Result) -> list[str]:
    """What a merge tried and what it took."""
    chosen = result["chosen"]["name"]
    rows = [
        ["→" if each["name"] == chosen else "", each["name"], f"{each['dev']:.4f}"]
        + ([] if each["general"] is None else [f"{each['general']:.4f}"])
        + ["*" if each["front"] else ""]
        for each in sorted(result["candidates"], key=lambda each: -each["dev"])
    ]
    if not rows:
        return [f"{result['method']} of {' and '.join(result['models'])}"]
    general = ["general"] if len(rows[0]) == 5 else []
    lines = table(["", "model", "dev", *general, "front"], rows).splitlines()
    return [*lines, "→ is the result; * is beaten by none in both scores" if general else "→ is the result"]


def _compare(result: Result, folder: Path) -> list[str]:
    heads = ["task", "metric", result["before"], result["after"], "difference", "95 % interval", "p"]
    rows = [
        [each["task"], each["metric"], f"{each['before']:.4f}", f"{each['after']:.4f}", f"{each['difference']:+.4f}",
         f"[{each['low']:+.4f}, {each['high']:+.4f}]", f"{each['p_value']:.4f}"]
        for each in result["tasks"]
    ]  # fmt: skip
    lines = table(heads, rows).splitlines()
    for each in result["tasks"]:
        verdict = "better" if each["low"] > 0 else "worse" if each["high"] < 0 else "not clearly different"
        lines.append(
            f"{each['task']}: {result['after']} is {verdict}; {each['wins']:,} queries gained, {each['losses']:,} lost,"
            f" {each['ties']:,} stayed"
        )
    for what in ("gained", "lost"):
        if result[what]:
            lines.append(f"queries that {what} most (rank of the answer before → after):")
            for each in result[what]:
                ranks = f"{each['rank_before'] or '>100'} → {each['rank_after'] or '>100'}"
                lines.append(f"  {ranks:>11}  {one_line(each['query'], 100)}")
                lines.append(f"               answer: {one_line(each['document'], 90)}")
    return lines


def _index(result: Result, folder: Path) -> list[str]:
    lines = [
        f"{result['documents']:,} documents in {clock(result['seconds'])}, {result['dimension']} numbers each,"
        f" {_bytes(result['bytes'])}"
    ]
    for search in result["searches"]:
        lines += ["", f"search: {one_line(search['query'])}"]
        for when, model in (("before", result.get("before_model")), ("after", result.get("model"))):
            if search[when]:
                lines.append(f"  {when} ({model}):")
            for rank, hit in enumerate(search[when], start=1):
                mark = "*" if hit["id"] in search["relevant"] else " "
                lines.append(
                    f"  {mark} {rank}. {hit['score']:.3f}  {one_line(hit['id'], 60)}  {one_line(hit['text'], 60)}"
                )
    if any(search["relevant"] for search in result["searches"]):
        lines.append("(* is the right answer)")
    return [*lines, f'search it: cosmith search {quote(result["folder"])} "your words"']


def _report(result: Result, folder: Path) -> list[str]:
    return [f"the report: {result['report']}"]


_SUMMARIES: Mapping[str, Callable[[Result, Path], list[str]]] = {
    "python-functions": _data,
    "source": _data,
    "collection": _data,
    "sts": _data,
    "estimate": _estimate,
    "evaluate": _evaluate,
    "mine": _mine,
    "train": _train,
    "texts": _texts,
    "initialise": _initialise,
    "adapt": _train,
    "merge": _merge,
    "compare": _compare,
    "index": _index,
    "report": _report,
}


def _bytes(count: float) -> str:
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _share(part: float) -> str:
    """A share in percent, with `0` for nothing at all only."""
    return "0%" if not part else "less than 0.1%" if part < 0.001 else f"{part:.1%}"


def _code(text: str) -> list[str]:
    return first_code_lines(text)
