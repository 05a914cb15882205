"""The report of a run: one HTML file that needs nothing else, no network and no script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cosmith.atomic import atomic_file
from cosmith.inspection.markup import Markup, element
from cosmith.inspection.page import page_of_sections
from cosmith.inspection.run_record import RunRecord, read_run

REPORT = "report.html"


def write_report(run_folder: str | Path) -> Path:
    """Write ``report.html`` into the folder of a run, on all stages that have ended.

    Sections whose stage is absent are left out. The page follows the run: the verdict, the data, the cost, the
    baselines, training, results with intervals, what was forgotten, queries to read, and where the figures come from.

    Args:
        run_folder: ``runs/NAME``.

    Returns:
        The page's path.

    Raises:
        InputError: When the folder is no run, or a file in it is not whole; an older report stands unchanged.
        StorageError: When it cannot be written.
    """
    run = read_run(run_folder)
    page = report_page(run)
    path = run.folder / REPORT
    with atomic_file(path) as handle:
        handle.write(page)
    return path


def report_page(run: RunRecord) -> str:
    """The page as text."""
    from cosmith.inspection.data_sections import (
        cleaning_section,
        cost_section,
        data_section,
        judged_section,
        negatives_section,
    )
    from cosmith.inspection.document_sections import documents_section
    from cosmith.inspection.dynamics import health_section
    from cosmith.inspection.error_sections import run_errors_section
    from cosmith.inspection.example_sections import changes_section, provenance_section, searches_section
    from cosmith.inspection.result_sections import (
        baseline_section,
        forgotten_section,
        merging_section,
        result_section,
        training_section,
    )
    from cosmith.inspection.smaller_sections import smaller_section

    sections: list[tuple[str, str, Callable[[RunRecord], Markup | None]]] = [
        ("documents", "The documents", documents_section),
        ("data", "The data", data_section),
        ("cleaning", "What was left out of it", cleaning_section),
        ("cost", "What training would cost", cost_section),
        ("baselines", "Before training", baseline_section),
        ("negatives", "Hard negatives", negatives_section),
        ("judged", "Rows judged by a model", judged_section),
        ("training", "Training", training_section),
        ("health", "How it learnt", health_section),
        ("merging", "Merging", merging_section),
        ("smaller", "Smaller models", smaller_section),
        ("results", "After training", result_section),
        ("forgotten", "What was forgotten", forgotten_section),
        ("changes", "Queries that changed most", changes_section),
        ("errors", "Where it errs", run_errors_section),
        ("searches", "Example searches", searches_section),
        ("provenance", "Where these figures come from", provenance_section),
    ]
    found = [(name, title, make(run)) for name, title, make in sections]
    return page_of_sections(f"{run.name}: report", _opening(run), found)


def _opening(run: RunRecord) -> Markup:
    from cosmith.inspection.verdict import verdict

    said = verdict(run)
    finished = max((stage.finished for stage in run.stages), default="")
    return element(
        "header",
        element(
            "p",
            element("span", run.name),
            *(f" · {told}" for told in (Path(run.base).name, run.size, finished[:10]) if told),
            class_="over",
        ),
        element("h1", said.sentence, class_=said.outcome),
        *(element("p", remark, class_="remark") for remark in said.remarks),
        element("p", run.description, class_="note") if run.description else None,
    )
