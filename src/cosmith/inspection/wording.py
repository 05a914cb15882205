"""How figures are written: numbers, differences, intervals, sizes, names of metrics and models."""

from __future__ import annotations

import re

from cosmith.progress import clock

MINUS = "−"
_TOGETHER = "\u00a0"  # a space at which no line breaks
_METRICS = {"ndcg": "nDCG", "mrr": "MRR", "map": "MAP", "recall": "Recall", "precision": "Precision"}


def metric_name(metric: str) -> str:
    """``ndcg@10`` as ``nDCG@10``."""
    name, at, depth = metric.partition("@")
    return _METRICS.get(name, name.replace("_", " ").capitalize()) + at + depth


def score(value: float) -> str:
    """Three digits: ``0.643``."""
    return f"{value:.3f}".replace("-", MINUS)


def difference(value: float) -> str:
    """With its sign: ``+0.064``, ``−0.012``; without one where it rounds to ``0.000``."""
    told = f"{value:+.3f}".replace("-", MINUS)
    return told if told.strip(f"+{MINUS}0.") else "0.000"


def interval(low: float, high: float, *, signed: bool = False) -> str:
    """``[0.042, 0.085]``; ``signed`` writes plus signs as well."""
    write = difference if signed else score
    return f"[{write(low)},{_TOGETHER}{write(high)}]"


def probability(p: float) -> str:
    """``p = 0.031``, ``p = 0.0002``, ``p < 0.0001``."""
    if p < 0.00005:
        return f"p{_TOGETHER}<{_TOGETHER}0.0001"
    return f"p{_TOGETHER}={_TOGETHER}{p:.{4 if p < 0.001 else 3}f}"


def count(number: float) -> str:
    """``12,345``."""
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """``0.4 s``, ``45 s``, ``3:05 min``, ``2:03:05 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    told = clock(seconds)
    return told if told.endswith("s") else f"{told} {'h' if told.count(':') == 2 else 'min'}"


def excerpt(text: str, characters: int = 700, lines: int = 16) -> str:
    """The beginning of a text, with an ellipsis where it is cut."""
    kept = text.strip("\n").split("\n")
    cut = "\n".join(kept[:lines])
    if len(cut) > characters:
        return cut[:characters].rstrip() + " …"
    return cut + ("\n…" if len(kept) > lines else "")


def looks_like_code(text: str) -> bool:
    """Whether a text reads better in a fixed-width font."""
    return (
        re.match(r"\s*(?:@\w|(?:async )?def \w+\(|class \w+|import |from \w+ import |#include|function |\{|<\w)", text)
        is not None
    )
