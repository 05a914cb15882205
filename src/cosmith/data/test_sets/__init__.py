"""What test sets hold beside collections and graded pairs: labels, judged pairs, translations, candidates, words.

Each is a frozen dataclass that can be made of lists, and a reader that makes it of a table or a file of words.
"""

from cosmith.data.test_sets.candidates import CandidateLists, read_candidates, read_pairs_as_collection
from cosmith.data.test_sets.labels import LabelledTexts, TrainAndTest, read_labelled_texts
from cosmith.data.test_sets.pairs import JudgedPairs, ParallelTexts, read_judged_pairs, read_parallel_texts
from cosmith.data.test_sets.summaries import Summaries, read_summaries
from cosmith.data.test_sets.words import Analogies, WordPairs, read_analogies, read_word_pairs

__all__ = [
    "Analogies",
    "CandidateLists",
    "JudgedPairs",
    "LabelledTexts",
    "ParallelTexts",
    "Summaries",
    "TrainAndTest",
    "WordPairs",
    "read_analogies",
    "read_candidates",
    "read_judged_pairs",
    "read_labelled_texts",
    "read_pairs_as_collection",
    "read_parallel_texts",
    "read_summaries",
    "read_word_pairs",
]
