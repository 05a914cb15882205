"""Training rows that a language model writes: queries, paraphrases, translations, examples of classes."""

from cosmith.data.passages import Passage, passages_of
from cosmith.mining.synthesis.budget import Budget, Usage
from cosmith.mining.synthesis.cache import AnswerCache
from cosmith.mining.synthesis.chat import ChatRequest, Completion
from cosmith.mining.synthesis.endpoint import Endpoint, require_askable
from cosmith.mining.synthesis.personas import builtin_personas, load_personas, nearest_personas
from cosmith.mining.synthesis.preview import Preview, preview
from cosmith.mining.synthesis.rows import (
    Assignment,
    RejectedAnswer,
    SyntheticRow,
    counts_by_sort,
    samples_by_sort,
    write_rejected_answers,
    write_synthetic_rows,
)
from cosmith.mining.synthesis.session import Synthesis
from cosmith.mining.synthesis.settings import (
    DIFFICULTIES,
    QUESTION_TYPES,
    TASKS,
    SynthesisSettings,
)
from cosmith.mining.synthesis.synthesise import synthesise
from cosmith.mining.synthesis.templates import KINDS, Template, builtin_templates, load_template, parse_template
from cosmith.services import EndpointError

__all__ = [
    "DIFFICULTIES",
    "KINDS",
    "QUESTION_TYPES",
    "TASKS",
    "AnswerCache",
    "Assignment",
    "Budget",
    "ChatRequest",
    "Completion",
    "Endpoint",
    "EndpointError",
    "Passage",
    "Preview",
    "RejectedAnswer",
    "Synthesis",
    "SynthesisSettings",
    "SyntheticRow",
    "Template",
    "Usage",
    "builtin_personas",
    "builtin_templates",
    "counts_by_sort",
    "load_personas",
    "load_template",
    "nearest_personas",
    "parse_template",
    "passages_of",
    "preview",
    "require_askable",
    "samples_by_sort",
    "synthesise",
    "write_rejected_answers",
    "write_synthetic_rows",
]
