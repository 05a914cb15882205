"""Cleaning: what is there twice, in another language, too short, or about nothing, and why it was left out.

Each filter is a frozen dataclass of settings and a function of texts; :func:`clean_texts` and :func:`clean_rows` ask
several in turn and tell what each did.
"""

from cosmith.data.cleaning.boilerplate import BoilerplateLines, Shortened, boilerplate_lines, without_boilerplate
from cosmith.data.cleaning.duplicates import Duplicates, NearDuplicates, Nearest, exact_duplicates, near_duplicates
from cosmith.data.cleaning.filters import ExactDuplicates, Example, Filter, Step, filters_asked
from cosmith.data.cleaning.judged import Fault, Judged
from cosmith.data.cleaning.languages import (
    LIKELY,
    UNKNOWN,
    Languages,
    detect_languages,
    judge_languages,
    shown_language,
)
from cosmith.data.cleaning.lengths import Length, judge_lengths
from cosmith.data.cleaning.quality import Repetition, Symbols, judge_repetition, judge_symbols
from cosmith.data.cleaning.rows import Cleaned, Part, clean_rows, dropped_rows
from cosmith.data.cleaning.texts import CleanedTexts, clean_records, clean_texts
from cosmith.data.cleaning.words import normalised, words_of

__all__ = [
    "LIKELY",
    "UNKNOWN",
    "BoilerplateLines",
    "Cleaned",
    "CleanedTexts",
    "Duplicates",
    "ExactDuplicates",
    "Example",
    "Fault",
    "Filter",
    "Judged",
    "Languages",
    "Length",
    "NearDuplicates",
    "Nearest",
    "Part",
    "Repetition",
    "Shortened",
    "Step",
    "Symbols",
    "boilerplate_lines",
    "clean_records",
    "clean_rows",
    "clean_texts",
    "detect_languages",
    "dropped_rows",
    "exact_duplicates",
    "filters_asked",
    "judge_languages",
    "judge_lengths",
    "judge_repetition",
    "judge_symbols",
    "near_duplicates",
    "normalised",
    "shown_language",
    "without_boilerplate",
    "words_of",
]
