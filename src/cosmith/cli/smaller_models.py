"""What smaller forms of a model are and lose, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosmith.cli.manner import table
from cosmith.phrases import counted, size


def size_lines(result: Mapping[str, Any]) -> list[str]:
    """A table of a model and its smaller forms, and one of the changes on test sets where there are some.

    Args:
        result: Of a stage that made a smaller model: ``forms``, the first of them the model itself.
    """
    forms, lines = result["forms"], []
    if "vocabulary" in result:
        told = result["vocabulary"]
        lines = [
            f"{told['after']:,} of {counted(told['before'], 'token')} stay, which {counted(told['texts'], 'text')}"
            f" {'needs' if told['texts'] == 1 else 'need'}; their vectors stay what they were",
            f"of {counted(told['held_out'], 'text')} held out, {told['differing']:,} would be cut otherwise with the"
            f" tokens that the others need, into {100 * (told['longer'] - 1):.1f} % more tokens in all",
        ]
    rows = [
        [each["name"], f"{each['parameters']:,}", size(each["bytes"]), str(each["dimension"]),
         f"{each['cpu_seconds']:.2f}", _number(each["mean"]), _number(each["first_percentile"]),
         _number(each["neighbours"])]
        for each in forms
    ]  # fmt: skip
    texts = counted(forms[0]["texts"], "text")
    heads = [f"On {texts}", "weights", "bytes", "dimensions", "CPU s", "cosine", "1st percentile",
             "neighbours kept"]  # fmt: skip
    lines += table(heads, rows).splitlines()
    changes = [
        [each["name"], change["task"], change["metric"], f"{change['before']:.4f}", f"{change['after']:.4f}",
         f"{change['difference']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]"]
        for each in forms[1:]
        for change in each["tasks"]
    ]  # fmt: skip
    if changes:
        heads = ["Change", "task", "metric", "before", "after", "difference [95 %]"]
        lines += ["", *table(heads, changes).splitlines()]
    return lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
