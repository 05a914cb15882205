"""What each kind of stage found, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from cosmith.cli.data.pair_forms import form_lines
from cosmith.cli.manner import first_code_lines, table
from cosmith.cli.smaller_models import size_lines
from cosmith.phrases import counted, one_line, size
from cosmith.progress import clock

Result = Mapping[str, Any]

_NOUNS = {
    "crossing": ("row that asks what is held out, left out", "rows that ask what is held out, left out"),
    "nearly_crossing": ("row that nearly asks it, left out", "rows that nearly ask it, left out"),
    "pairs": ("pair",),
    "queries": ("query", "queries"),
    "documents": ("document",),
    "packages": ("package",),
    "texts": ("text",),
}
"""What is counted in splits: one of it and, where that is not regular, several."""


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
            f"{counted(result['pairs'], 'pair')} of {counted(result['packages'], 'package')}, from"
            f" {counted(result['functions'], 'function')} with a docstring"
        )
    elif "pairs" in result:
        of = f" of {counted(result['classes'], 'class', 'classes')}" if "classes" in result else ""
        if "graded_pairs" in result:
            of = f" of {counted(result['alike'], 'pair')} that are alike, of {result['graded_pairs']:,}"
        if "forms" in result:
            of = f" of {counted(result['documents'], 'document')}"
            if "from_titles" in result:
                of += f", {result['from_titles']:,} by their titles"
        lines.append(counted(result["pairs"], "row") + of)
    if result.get("columns"):
        read_as = f" ({result['format']})" if "format" in result else ""
        names = ", ".join(f"{part} {name!r}" for part, name in result["columns"].items())
        lines.append(f"columns{read_as}: {names}")
    lines += [f"warning: {note}" for note in result.get("notes", [])]
    dropped = result.get("dropped") or {}
    if dropped:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in dropped.items())
        lines.append(f"dropped {sum(dropped.values()):,}: {reasons}")
    if result.get("rejected_file"):
        lines.append(f"rows that could not be used: {result['rejected_file']}")
    for name, counts in result.get("splits", {}).items():
        lines.append(f"{name}: " + ", ".join(counted(count, *_NOUNS[what]) for what, count in counts.items()))
    if result.get("distractors"):
        lines.append(f"in the test set {counted(result['distractors'], 'document')} without a query to answer")
    if "forms" in result:
        return lines + form_lines(result["forms"], result["examples"])
    for example in result.get("examples", [])[:1]:
        code = first_code_lines(example["document"])
        lines += ["e.g. " + one_line(example["query"]), *(f"     {line}" for line in code)]
    return lines


def _task(result: Result, folder: Path) -> list[str]:
    return [f"{result['task']}, by {result['because']}", *_data(result, folder)]


def _estimate(result: Result, folder: Path) -> list[str]:
    return list(result["told"])


def _evaluate(result: Result, folder: Path) -> list[str]:
    from cosmith.evaluation import Scores, models_by_cut

    by_task: dict[str, list[Scores]] = {}
    for each in result["scores"]:
        by_task.setdefault(each["task"], []).append(Scores.from_dict(each))
    lines: list[str] = []
    for scores in by_task.values():
        lines += scores[0].table(*scores[1:]).splitlines()
    for (task, cut), models in models_by_cut(result["cut"]).items():
        lines.append(f"{task}, {', '.join(models)}: {cut.describe()}")
    return lines


def _mine(result: Result, folder: Path) -> list[str]:
    lines = list(result["told"])
    for example in result.get("examples", [])[:1]:
        lines.append("e.g. " + one_line(example["query"]))
        lines += [f"     not: {one_line(text)}" for text in example["negatives"][:1]]
    return lines


def _score(result: Result, folder: Path) -> list[str]:
    told = f"{counted(result['pairs'], 'pair')} of {counted(result['rows'], 'row')} scored by {result['model']}"
    means = [
        f"{name} {result[key]:.3f}"
        for name, key in (("answers", "mean_positive_score"), ("negatives", "mean_negative_score"))
        if result[key] is not None
    ]
    lines = [f"{told}, mean {result['measure']} of {', of '.join(means)}"]
    if result["outscored_rows"]:
        lines.append(f"in {counted(result['outscored_rows'], 'row')} a negative scores above an answer")
    for example in result["likely_positives"][:1]:
        lines += ["e.g. " + one_line(example["query"]), f"     likely an answer: {one_line(example['document'])}"]
    return lines


def _filter(result: Result, folder: Path) -> list[str]:
    lines = list(result["told"])
    for name, examples in result["examples"].items():
        for example in examples[:1]:
            lines.append(f"{name} ({example['score']:.3f}): {one_line(example['query'])}")
            lines.append(f"     {one_line(example['document'])}")
    return lines


def _clean(result: Result, folder: Path) -> list[str]:
    lines = list(result["told"])
    for step in result["steps"]:
        for example in step["examples"][:1]:
            lines.append(f"e.g. {step['name']}: {one_line(example['text'], 70)} ({one_line(example['evidence'], 60)})")
    return lines


def _train(result: Result, folder: Path) -> list[str]:
    return [*_training(result), f"model: {folder / 'model'}"]


def _train_sparse(result: Result, folder: Path) -> list[str]:
    return [*_training(result), f"sparse encoder: {folder / 'sparse'}"]


def _train_late_interaction(result: Result, folder: Path) -> list[str]:
    return [*_training(result), f"late-interaction model: {folder / 'late-interaction'}"]


def _train_reranker(result: Result, folder: Path) -> list[str]:
    lines = _training(result)
    if result["first_dev"] is not None:
        lines.append(f"the order of {result['first']} itself has {result['first_dev']:.4f} there")
    return [*lines, f"reranker: {folder / 'reranker'}"]


def _training(result: Result) -> list[str]:
    rate = result.get("pairs_per_second")
    lines = [
        f"{counted(result['steps'], 'step')} in {clock(result['seconds'])}"
        + (f", {rate:,.1f} pairs/s" if rate else "")
        + f", at most {size(result['peak_bytes'])} of memory"
    ]
    if result.get("stopped_early"):
        lines.append("stopped early, as the score on the development set rose no more")
    if result.get("base_dev") is not None:
        line = (
            f"development set: {result['base_dev']:.4f} before, {result['best_dev']:.4f} at best (step"
            f" {result['best_step']:,})"
        )
        if not result.get("interpolation") and result["final_dev"] != result["best_dev"]:
            line += f", {result['final_dev']:.4f} with the last weights, which are kept"
        lines.append(line)
    if result.get("interpolation"):
        grid = ", ".join(f"{each['alpha']:g}: {each['dev']:.4f}" for each in result["interpolation"])
        lines.append(f"between the two models, by the share of the trained one: {grid}")
        if result["alpha"] == 0:
            lines.append("the base model itself is best, and is kept: training has not helped on the development set")
        else:
            lines.append(f"kept: {result['alpha']:g}, never worse than the base on the development set")
    return [
        *lines,
        *(("warning: " if each["trained"] else "") + each["told"] for each in result.get("contamination", [])),
        *(f"doctor: {each['says']} {each['evidence']} {each['remedy']}" for each in result.get("advice", [])),
    ]


def _texts(result: Result, folder: Path) -> list[str]:
    texts, characters = counted(result["texts"], "text"), counted(result["characters"], "character")
    return [f"{texts}, {characters}", *_data(result, folder)]


def _synthesise(result: Result, folder: Path) -> list[str]:
    lines = [result["told"], *_data(result, folder)]
    if result["by_sort"]:
        lines.append("of each sort: " + ", ".join(f"{sort} {count:,}" for sort, count in result["by_sort"].items()))
    for sort, samples in result["samples"].items():
        lines += [f"  {sort}: {one_line(each['query'], 60)} → {one_line(each['document'], 60)}" for each in samples]
    return lines


def _documents(result: Result, folder: Path) -> list[str]:
    formats = ", ".join(f"{number:,} {name}" for name, number in result["formats"].items())
    documents, sections = counted(result["documents"], "document"), counted(result["sections"], "section")
    lines = [f"{documents} ({formats}), {sections}, {counted(result['characters'], 'character')}"]
    if result["passed_over"]:
        passed_over = ", ".join(f"{number:,} {reason}" for reason, number in result["passed_over"].items())
        lines.append(f"files passed over: {passed_over}")
    if result["dropped"]:
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in result["dropped"].items())
        lines.append(f"files that cannot be read: {reasons}; all of them in {result['rejected_file']}")
    return lines


def _chunks(result: Result, folder: Path) -> list[str]:
    tokens = result["tokens"]
    lines = [
        f"{counted(result['chunks'], 'chunk')} of {counted(result['texts'], 'text')}, {tokens['mean']:g} tokens each on"
        f" average, {tokens['most']} at most (limit {tokens['limit']})"
    ]
    for example in result["examples"][:1]:
        lines.append("e.g. " + one_line(" > ".join(filter(None, [example["headings"], example["text"]]))))
    return lines


def _model(result: Result, folder: Path) -> list[str]:
    return [
        f"{counted(result['parameters'], 'weight')}, vectors of {counted(result['dimension'], 'dimension')}",
        f"model: {folder / 'model'}",
    ]


def _initialise(result: Result, folder: Path) -> list[str]:
    return [
        f"{counted(result['parameters'], 'random weight')}, {counted(result['tokens'], 'token')} learnt from"
        f" {counted(result['texts'], 'text')}",
        f"model: {folder / 'model'}",
    ]


def _rebuilt(result: Result, folder: Path) -> list[str]:
    parameters, numbers = counted(result["parameters"], "weight"), counted(result["dimension"], "number")
    return [f"{parameters}, vectors of {numbers}", f"model: {folder / 'model'}"]


def _smaller(result: Result, folder: Path) -> list[str]:
    trained = _training(result) if "steps" in result else []
    return [*trained, *size_lines(result), f"model: {folder / 'model'}"]


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
    better = result.get("better")
    general = ["general"] if len(rows[0]) == 5 else []
    lines = table(["", "model", "dev", *general, "front"], rows).splitlines()
    lines.append("→ is the result; * is beaten by none in both scores" if general else "→ is the result")
    if better is not None:
        lines.append(f"{better['name']} by itself is better on the development set: merging has not helped there")
    return lines


def _compare(result: Result, folder: Path) -> list[str]:
    from cosmith.inspection.verdict import outcome_of

    heads = ["task", "metric", result["before"], result["after"], "difference", "95 % interval", "p"]
    rows = [
        [each["task"], each["metric"], f"{each['before']:.4f}", f"{each['after']:.4f}", f"{each['difference']:+.4f}",
         f"[{each['low']:+.4f}, {each['high']:+.4f}]", f"{each['p_value']:.4f}"]
        for each in result["tasks"]
    ]  # fmt: skip
    lines = table(heads, rows).splitlines()
    for each in result["tasks"]:
        outcome = outcome_of(each)
        verdict = "not clearly different" if outcome == "unclear" else outcome
        lines.append(
            f"{each['task']}: {result['after']} is {verdict}; of the {each['unit']} {each['wins']:,} gained,"
            f" {each['losses']:,} lost, {each['ties']:,} stayed"
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
    chunks = f", cut into {counted(result['chunks'], 'chunk')}," if result.get("chunks") else ""
    stored = f" as {result['form']}" if result.get("form") else ""
    lines = [
        f"{counted(result['documents'], 'document')}{chunks} in {clock(result['seconds'])},"
        f" {result['dimension']} numbers each{stored}, {size(result['bytes'])}"
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
    "task": _task,
    "classes": _data,
    "graded-pairs": _data,
    "weak-pairs": _data,
    "self-pairs": _data,
    "synthesise": _synthesise,
    "estimate": _estimate,
    "evaluate": _evaluate,
    "mine": _mine,
    "score": _score,
    "filter": _filter,
    "round-trip": _filter,
    "clean": _clean,
    "train": _train,
    "train-reranker": _train_reranker,
    "train-sparse": _train_sparse,
    "train-late-interaction": _train_late_interaction,
    "texts": _texts,
    "documents": _documents,
    "chunks": _chunks,
    "model": _model,
    "initialise": _initialise,
    "rebuild": _rebuilt,
    "static": _smaller,
    "drop-layers": _smaller,
    "prune-vocabulary": _smaller,
    "adapt": _train,
    "merge": _merge,
    "compare": _compare,
    "index": _index,
    "report": _report,
}
