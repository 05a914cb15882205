"""What a run found, for eyes: one page with words, tables and pictures, and the charts by themselves.

:func:`write_report` makes the page of a run, :func:`write_survey_page` that of a data set, :func:`write_comparison`
one of models, :func:`write_plan` that of a plan. :mod:`cosmith.inspection.charts` holds pure functions from data to
altair charts.
"""

from cosmith.inspection.comparison_page import comparison_page, write_comparison
from cosmith.inspection.plan_page import plan_page, write_plan
from cosmith.inspection.report import write_report
from cosmith.inspection.run_record import RunRecord, StageView, read_run
from cosmith.inspection.survey_page import survey_page, write_survey_page

__all__ = [
    "RunRecord",
    "StageView",
    "comparison_page",
    "plan_page",
    "read_run",
    "survey_page",
    "write_comparison",
    "write_plan",
    "write_report",
    "write_survey_page",
]
