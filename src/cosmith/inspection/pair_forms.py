"""What each form of weak pairs has found: counts, what was left out and why, a sample of each to judge it by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosmith.inspection import wording
from cosmith.inspection.markup import Markup, element, joined, table
from cosmith.inspection.passages import passage
from cosmith.phrases import one_line


def pair_forms(forms: Mapping[str, Mapping[str, Any]], examples: Sequence[Mapping[str, Any]]) -> Markup:
    """A table of the forms and, folded away, reasons and samples.

    Args:
        forms: Name of a form → ``candidates``, ``kept`` and ``dropped``, which is reason → number.
        examples: Pairs, each with its ``form``, ``query`` and ``document``.
    """
    counts = [
        [name, wording.count(each["candidates"]), wording.count(each["candidates"] - each["kept"]),
         wording.count(each["kept"])]
        for name, each in forms.items()
    ]  # fmt: skip
    reasons = [
        [name, reason, wording.count(number)]
        for name, each in forms.items()
        for reason, number in each["dropped"].items()
    ]
    return joined(
        [
            table(["form", "candidates", "left out", "pairs"], counts),
            element("details", element("summary", "Why candidates were left out"),
                    table(["form", "reason", "number"], reasons, class_="words")) if reasons else None,
            *(_sample(name, [each for each in examples if each.get("form") == name]) for name in forms),
        ]
    )  # fmt: skip


def _sample(name: str, examples: Sequence[Mapping[str, Any]]) -> Markup | None:
    if not examples:
        return None
    rows = [
        [
            one_line(each["query"], 200),
            passage(each["document"], characters=300, lines=5),
            one_line(each.get("origin", ""), 60),
        ]
        for each in examples
    ]
    return element(
        "details",
        element("summary", f"A sample of the form {name}"),
        table(["query", "what it is to find", "from"], rows, class_="words"),
    )
