"""What a run found, for eyes: one page with words, tables and pictures, and the charts by themselves.

:func:`write_report` makes the page. :mod:`cosmith.inspection.charts` holds pure functions from data to altair charts.
"""

from cosmith.inspection.report import write_report
from cosmith.inspection.run_record import RunRecord, StageView, read_run

__all__ = ["RunRecord", "StageView", "read_run", "write_report"]
