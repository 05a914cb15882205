"""Text on its way in: training rows, test sets, and the readers and stores that hold them.

A :class:`Source` is what training takes, a :class:`Collection` what evaluation takes. Nothing here needs torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cosmith.data.classes import example_pairs, label_pairs, self_pairs
from cosmith.data.collection import Collection
from cosmith.data.cut import Cut
from cosmith.data.general import general_check_collection
from cosmith.data.readers import (
    ClassesRead,
    RowsFile,
    RowsRead,
    StsPairs,
    TextsRead,
    open_rows,
    read_classes,
    read_rows,
    read_sts,
    read_texts,
)
from cosmith.data.rows import Rejected, SourceSettings, Task, TrainingRow, reasons, write_rejected
from cosmith.data.source import Source
from cosmith.data.splits import split_by_group
from cosmith.data.texts import TextTable
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
    "ClassesRead",
    "Collection",
    "Cut",
    "FunctionCorpus",
    "FunctionPair",
    "PairLimits",
    "RaggedTokens",
    "Rejected",
    "RowsFile",
    "RowsRead",
    "Source",
    "SourceSettings",
    "StsPairs",
    "Task",
    "TextTable",
    "TextsRead",
    "TrainingRow",
    "WeakPairs",
    "build_python_docs",
    "collect_functions",
    "example_pairs",
    "general_check_collection",
    "label_pairs",
    "open_rows",
    "read_classes",
    "read_rows",
    "read_sts",
    "read_texts",
    "reasons",
    "self_pairs",
    "split_by_group",
    "tokens_of",
    "weak_pairs",
    "write_rejected",
]
