"""Text on its way in: training rows, test sets, and the readers and stores that hold them.

A :class:`Source` is what training takes, a :class:`Collection` what evaluation takes. Nothing here needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmith.lazy import on_first_use

# Imported on first use: what runs an exported model needs tokens only, and answers within a second.
_PUBLIC = {
    "CheckedTexts": "cosmith.data.readers",
    "ClassesRead": "cosmith.data.readers",
    "Click": "cosmith.data.clicks",
    "ClickedDocument": "cosmith.data.clicks",
    "ClicksRead": "cosmith.data.clicks",
    "Collection": "cosmith.data.collection",
    "Cut": "cosmith.data.cut",
    "FunctionCorpus": "cosmith.data.python_functions",
    "FunctionPair": "cosmith.data.python_functions",
    "JudgedFiles": "cosmith.data.judged_rows",
    "Overlap": "cosmith.data.contamination",
    "PairLimits": "cosmith.data.weak_supervision",
    "Part": "cosmith.data.tallies",
    "Passage": "cosmith.data.passages",
    "PlacedText": "cosmith.data.tallies",
    "RaggedTokens": "cosmith.data.tokens",
    "Rejected": "cosmith.data.rows",
    "RejectedFile": "cosmith.data.rows",
    "RejectedKind": "cosmith.data.surveying",
    "RowsFile": "cosmith.data.row_readers",
    "RowsRead": "cosmith.data.row_readers",
    "Shared": "cosmith.data.surveying",
    "Source": "cosmith.data.source",
    "SourceSettings": "cosmith.data.rows",
    "SplitCheck": "cosmith.data.split_check",
    "StsPairs": "cosmith.data.readers",
    "Survey": "cosmith.data.surveying",
    "Task": "cosmith.data.rows",
    "TextTable": "cosmith.data.texts",
    "TextsRead": "cosmith.data.readers",
    "TrainingRow": "cosmith.data.rows",
    "WeakPairs": "cosmith.data.weak_supervision",
    "build_python_docs": "cosmith.data.python_docs",
    "check_split": "cosmith.data.split_check",
    "check_texts": "cosmith.data.readers",
    "clicked_rows": "cosmith.data.clicks",
    "collect_functions": "cosmith.data.python_functions",
    "example_pairs": "cosmith.data.classes",
    "general_check_collection": "cosmith.data.general",
    "label_pairs": "cosmith.data.classes",
    "open_clicks": "cosmith.data.clicks",
    "open_judged_rows": "cosmith.data.row_readers",
    "open_rows": "cosmith.data.row_readers",
    "open_table": "cosmith.data.tables",
    "open_texts": "cosmith.data.readers",
    "overlap_with_collection": "cosmith.data.contamination",
    "overlap_with_pairs": "cosmith.data.contamination",
    "passages_of": "cosmith.data.passages",
    "read_classes": "cosmith.data.readers",
    "read_clicks": "cosmith.data.clicks",
    "read_rows": "cosmith.data.row_readers",
    "read_sts": "cosmith.data.readers",
    "read_texts": "cosmith.data.readers",
    "reasons": "cosmith.data.rows",
    "self_pairs": "cosmith.data.classes",
    "split_by_group": "cosmith.data.splits",
    "split_by_row": "cosmith.data.time_splits",
    "split_by_time": "cosmith.data.time_splits",
    "survey": "cosmith.data.surveying",
    "tokens_of": "cosmith.data.tokens",
    "weak_pairs": "cosmith.data.weak_supervision",
    "write_rejected": "cosmith.data.rows",
    "write_rows": "cosmith.data.row_lines",
}

if TYPE_CHECKING:
    from cosmith.data.classes import example_pairs, label_pairs, self_pairs
    from cosmith.data.clicks import Click, ClickedDocument, ClicksRead, clicked_rows, open_clicks, read_clicks
    from cosmith.data.collection import Collection
    from cosmith.data.contamination import Overlap, overlap_with_collection, overlap_with_pairs
    from cosmith.data.cut import Cut
    from cosmith.data.general import general_check_collection
    from cosmith.data.judged_rows import JudgedFiles
    from cosmith.data.passages import Passage, passages_of
    from cosmith.data.python_docs import build_python_docs
    from cosmith.data.python_functions import FunctionCorpus, FunctionPair, collect_functions
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
    from cosmith.data.surveying import RejectedKind, Shared, Survey, survey
    from cosmith.data.tables import open_table
    from cosmith.data.tallies import Part, PlacedText
    from cosmith.data.texts import TextTable
    from cosmith.data.time_splits import split_by_row, split_by_time
    from cosmith.data.tokens import RaggedTokens, tokens_of
    from cosmith.data.weak_supervision import PairLimits, WeakPairs, weak_pairs

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

__getattr__ = on_first_use(__name__, _PUBLIC)
