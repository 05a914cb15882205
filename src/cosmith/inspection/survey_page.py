"""What is in a data set, as one HTML page that needs nothing else: no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cosmith.atomic import atomic_file
from cosmith.inspection.markup import Markup, element, facts, table
from cosmith.inspection.page import whole_page
from cosmith.phrases import counted, one_line, share

if TYPE_CHECKING:
    import altair as alt

    from cosmith.data import Part, Survey

_NAMES = {
    "query": "Queries", "positive": "Answers", "negative": "Non-answers", "text": "Texts", "document": "Documents",
    "answer": "Answers",
}  # fmt: skip


def write_survey_page(path: str | Path, found: Survey, model: str | None = None) -> None:
    """Write the page.

    Args:
        path: Where to.
        found: What :func:`cosmith.data.survey` found.
        model: The name of the model in whose tokens it counted.

    Raises:
        StorageError: When it cannot be written.
    """
    with atomic_file(path) as handle:
        handle.write(survey_page(found, model))


def survey_page(found: Survey, model: str | None = None) -> str:
    """The page as text."""
    sections = [_part(part, found.unit, model) for part in found.parts]
    sections += [section for section in (_rejected(found), _shared(found)) if section is not None]
    return whole_page(f"{Path(found.path).name}: what is in it", _opening(found), *sections)


def _opening(found: Survey) -> Markup:
    rejected = sum(kind.count for kind in found.rejected)
    noun = "text" if [part.role for part in found.parts] == ["text"] else "row"
    return element(
        "header",
        element("p", element("span", found.path), f" · {found.format}", class_="over"),
        element(
            "h1",
            f"{counted(found.rows, noun)} that can be used"
            + (f", and {rejected:,} that cannot" if rejected else ", and none that cannot"),
        ),
        facts(
            [
                *((f"column of {part}", name) for part, name in found.columns.items()),
                (f"{noun}s that repeat an earlier one", f"{found.repeated_rows:,}"),
            ]
        ),
        *(element("p", note, class_="note") for note in found.notes),
    )


def _part(part: Part, unit: str, model: str | None) -> Markup:
    from cosmith.inspection.pictures import figure

    told: list[tuple[object, object]] = [
        ("in all", f"{part.texts:,}"),
        ("different", f"{part.distinct:,}"),
        ("repeated", share((part.texts - part.distinct) / part.texts)),
        *([("nearly the same as an earlier one", _near(part))] if part.compared else []),
        (f"median {unit}", f"{part.quantile(0.5):,}"),
        ("95 % have at most", f"{part.quantile(0.95):,} {unit}"),
        ("the longest", f"{part.quantile(1):,} {unit}"),
    ]
    if part.limit is not None:
        told += [
            (f"cut at {part.limit:,} tokens", f"{part.overlong_count:,} ({share(part.overlong_count / part.texts)})"),
            ("tokens cut off", share(part.cut / max(part.total, 1))),
        ]
    cut = f"In red those of which {model} reads the first {part.limit:,} only." if part.overlong_count else None
    pictures = [figure(_length_chart(part, unit), f"How many {unit} they have", cut if part.limit else None)]
    if part.languages:
        of = "all" if part.sampled == part.texts else f"{part.sampled:,} of them, drawn by chance"
        pictures.append(figure(_language_chart(part.languages), "Languages", f"Of {of}."))
    return element(
        "section",
        element("h2", _NAMES.get(part.role, part.role)),
        facts(told),
        element("div", *pictures, class_="figures"),
        _overlong(part, unit),
    )


def _near(part: Part) -> str:
    of = "" if part.sampled == part.texts else f" (of {part.sampled:,} drawn by chance)"
    return f"{part.near_duplicates:,} of {part.compared:,}{of}"


def _length_chart(part: Part, unit: str) -> alt.LayerChart:
    """A bar for each of the lengths that double, in another colour where the model cuts."""
    import altair as alt

    from cosmith.inspection.charts import PALETTE, styled

    bins = part.histogram()
    names = [f"{low:,}–{high:,}" if low < high else f"{low:,}" for low, high, _ in bins]
    data = alt.InlineData(
        [{"length": name, "texts": count, "cut": bool(part.limit is not None and low > part.limit)}
         for name, (low, _, count) in zip(names, bins, strict=True)]
    )  # fmt: skip
    bars = (
        alt.Chart(data)
        .mark_bar()
        .encode(
            y=alt.Y("length:N", sort=names, title=unit),
            x=alt.X("texts:Q", title="texts", axis=alt.Axis(tickCount=4, format=",")),
            color=alt.Color(
                "cut:N",
                scale=alt.Scale(domain=[False, True], range=[PALETTE["tuned"], PALETTE["bad"]]),
                legend=None,
            ),
        )
    )
    return styled([bars], alt.Step(20))


def _language_chart(languages: Mapping[str, int]) -> alt.LayerChart:
    import altair as alt

    from cosmith.data.cleaning import shown_language
    from cosmith.inspection.charts import PALETTE, styled

    total, shown = sum(languages.values()), list(languages.items())[:8]
    records = [{"language": shown_language(name), "share": count / total} for name, count in shown]
    if (rest := total - sum(count for _, count in shown)) > 0:
        records.append({"language": "others", "share": rest / total})
    bars = (
        alt.Chart(alt.InlineData(records))
        .mark_bar(color=PALETTE["base"])
        .encode(
            y=alt.Y("language:N", sort=[str(each["language"]) for each in records], title=None),
            x=alt.X("share:Q", title="share", axis=alt.Axis(format="%", tickCount=4)),
        )
    )
    return styled([bars], alt.Step(20))


def _overlong(part: Part, unit: str) -> Markup | None:
    if not part.overlong:
        return None
    rows = [(f"{Path(text.path).name}:{text.line}", f"{text.length:,}") for text in part.overlong]
    head = "The first of them" if part.overlong_count > len(rows) else "All of them"
    return element("div", element("h3", f"Too long: {part.overlong_count:,}. {head}"), table(["where", unit], rows))


def _rejected(found: Survey) -> Markup | None:
    if not found.rejected:
        return None
    rows: list[Sequence[object]] = []
    for kind in found.rejected:
        first = kind.first[0]
        lines = ", ".join(f"{row.line:,}" for row in kind.first) + (", …" if kind.count > len(kind.first) else "")
        rows.append((kind.reason, f"{kind.count:,}", lines, element("code", one_line(first.record, 80))))
    return element(
        "section", element("h2", "What cannot be used"), table(["reason", "how many", "lines", "the first"], rows)
    )


def _shared(found: Survey) -> Markup | None:
    if not found.shared:
        return None
    rows = [
        (each.test, each.role, f"{each.texts:,}", f"{each.shared:,}", share(each.shared / each.texts),
         element("code", one_line(each.examples[0], 60)) if each.examples else "")
        for each in found.shared
    ]  # fmt: skip
    return element(
        "section",
        element("h2", "What test sets have in common with it"),
        element("p", "Equal but for case and spacing. A query that was trained on is no test.", class_="note"),
        table(["test set", "what", "in all", "in common", "share", "e.g."], rows),
    )
