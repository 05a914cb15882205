"""Text on its way in: training rows, test sets, and the readers and stores that hold them.

A :class:`Source` is what training takes, a :class:`Collection` what evaluation takes. Nothing here needs torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cosmith.data.classes import example_pairs, label_pairs, self_pairs
from cosmith.data.clicks import Click, ClickedDocument, ClicksRead, clicked_rows, open_clicks, read_clicks
from cosmith.data.collection import Collection
from cosmith.data.contamination import Overlap, overlap_with_collection, overlap_with_pairs
from cosmith.data.cut import Cut
from cosmith.data.general import general_check_collection
from cosmith.data.judged_rows import JudgedFiles
from cosmith.data.passages import Passage, passages_of
from cosmith.data.readers import (
    CheckedTexts,
    ClassesRead,
    StsPairs,
    TextsRead,
    check_texts,
    open_texts,
    read_classes,
    read_sts,
    read_texts,
)
from cosmith.data.row_lines import write_rows
from cosmith.data.row_readers import RowsFile, RowsRead, open_judged_rows, open_rows, read_rows
from cosmith.data.rows import Rejected, RejectedFile, SourceSettings, Task, TrainingRow, reasons, write_rejected
from cosmith.data.source import Source
from cosmith.data.split_check import SplitCheck, check_split
from cosmith.data.splits import split_by_group
from cosmith.data.survey import RejectedKind, Shared, Survey, survey
from cosmith.data.tables import open_table
from cosmith.data.tallies import Part, PlacedText
from cosmith.data.texts import TextTable
from cosmith.data.time_splits import split_by_row, split_by_time
from cosmith.data.tokens import RaggedTokens, tokens_of
from cosmith.data.weak_pairs import PairLimits, WeakPairs, weak_pairs

if TYPE_CHECKING:
    from cosmith.data.python_docs import build_python_docs
    from cosmith.data.python_functions import FunctionCorpus, FunctionPair, collect_functions

# The demo's data: imported when asked for, since they bring the machinery of several processes with them.
_LAZY = {
    "build_python_docs": "cosmith.data.python_docs",
    "FunctionCorpus": "cosmith.data.python_functions",
    "FunctionPair": "cosmith.data.python_functions",
    "collect_functions": "cosmith.data.python_functions",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CheckedTexts",
    "ClassesRead",
    "Click",
    "ClickedDocument",
    "ClicksRead",
    "Collection",
    "Cut",
    "FunctionCorpus",
    "FunctionPair",
    "JudgedFiles",
    "Overlap",
    "PairLimits",
    "Part",
    "Passage",
    "PlacedText",
    "RaggedTokens",
    "Rejected",
    "RejectedFile",
    "RejectedKind",
    "RowsFile",
    "RowsRead",
    "Shared",
    "Source",
    "SourceSettings",
    "SplitCheck",
    "StsPairs",
    "Survey",
    "Task",
    "TextTable",
    "TextsRead",
    "TrainingRow",
    "WeakPairs",
    "build_python_docs",
    "check_split",
    "check_texts",
    "clicked_rows",
    "collect_functions",
    "example_pairs",
    "general_check_collection",
    "label_pairs",
    "open_clicks",
    "open_judged_rows",
    "open_rows",
    "open_table",
    "open_texts",
    "overlap_with_collection",
    "overlap_with_pairs",
    "passages_of",
    "read_classes",
    "read_clicks",
    "read_rows",
    "read_sts",
    "read_texts",
    "reasons",
    "self_pairs",
    "split_by_group",
    "split_by_row",
    "split_by_time",
    "survey",
    "tokens_of",
    "weak_pairs",
    "write_rejected",
    "write_rows",
]
