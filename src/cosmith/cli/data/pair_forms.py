"""What each form of weak pairs has found, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosmith.cli.manner import first_code_lines, table
from cosmith.phrases import one_line


def form_lines(forms: Mapping[str, Mapping[str, Any]], examples: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table of candidates and pairs, what was left out and why, and an example of each form.

    Args:
        forms: Name of a form → ``candidates``, ``kept`` and ``dropped``, which is reason → number.
        examples: Pairs, each with its ``form``, ``query`` and ``document``.
    """
    rows = [
        [name, f"{each['candidates']:,}", f"{each['candidates'] - each['kept']:,}", f"{each['kept']:,}"]
        for name, each in forms.items()
    ]
    lines = table(["form", "candidates", "left out", "pairs"], rows).splitlines()
    for name, each in forms.items():
        if each["dropped"]:
            reasons = ", ".join(f"{reason} {number:,}" for reason, number in each["dropped"].items())
            lines.append(f"{name}, left out: {reasons}")
    for name in forms:
        for example in [each for each in examples if each.get("form") == name][:1]:
            lines.append(f"{name}, e.g. {one_line(example['query'])}")
            lines += [f"     {line}" for line in first_code_lines(example["document"], 2)]
    return lines
