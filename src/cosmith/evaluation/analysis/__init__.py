"""Where a search errs: for which queries and documents, with which wrong answers, and which of these may be right."""

from cosmith.evaluation.analysis.answers import Unlabelled, WrongAnswer, likely_unlabelled, nearest_wrong_answers
from cosmith.evaluation.analysis.errors import ErrorAnalysis, analyse_errors
from cosmith.evaluation.analysis.groups import Group, RankGroup, first_relevant_ranks, groups_by, ranks_of
from cosmith.evaluation.analysis.lengths import TextLengths, Truncation, text_lengths, truncation_loss

__all__ = [
    "ErrorAnalysis",
    "Group",
    "RankGroup",
    "TextLengths",
    "Truncation",
    "Unlabelled",
    "WrongAnswer",
    "analyse_errors",
    "first_relevant_ranks",
    "groups_by",
    "likely_unlabelled",
    "nearest_wrong_answers",
    "ranks_of",
    "text_lengths",
    "truncation_loss",
]
