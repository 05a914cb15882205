"""Text on its way in: training rows, test sets, and the readers and stores that hold them.

A :class:`Source` is what training takes, a :class:`Collection` what evaluation takes. Nothing here needs torch.
"""

from cosmith.data.collection import Collection
from cosmith.data.readers import RowsRead, StsPairs, TextsRead, read_rows, read_sts, read_texts
from cosmith.data.rows import Rejected, SourceSettings, Task, TrainingRow, write_rejected
from cosmith.data.source import Source
from cosmith.data.splits import split_by_group
from cosmith.data.texts import TextTable
from cosmith.data.tokens import RaggedTokens, tokens_of

__all__ = [
    "Collection",
    "RaggedTokens",
    "Rejected",
    "RowsRead",
    "Source",
    "SourceSettings",
    "StsPairs",
    "Task",
    "TextTable",
    "TextsRead",
    "TrainingRow",
    "read_rows",
    "read_sts",
    "read_texts",
    "split_by_group",
    "tokens_of",
    "write_rejected",
]
