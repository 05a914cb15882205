"""The rows of a step as the texts to embed, each once, and the structure that the loss reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosmith.data import RaggedTokens, Source, tokens_of
from cosmith.data.ragged import Float32, take_rows
from cosmith.errors import InputError
from cosmith.losses import StepStructure
from cosmith.models import Embedder
from cosmith.training.batch_report import score_problems
from cosmith.training.teaching import TeacherVectors

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class TokenisedSource:
    """A Source with the tokens of its texts under the prompts of their roles.

    ``query_tokens`` and ``document_tokens`` hold a row for each text of the Source's table, without tokens where a
    text does not play that role. They are the same object where both roles read a text alike. With ``embed_twice`` a
    text of both roles is nevertheless embedded once in each, for the sake of dropout. ``teacher`` is what another
    model makes of the texts, for the losses that ask for it.
    """

    source: Source
    query_tokens: RaggedTokens
    document_tokens: RaggedTokens
    embed_twice: bool = False
    teacher: TeacherVectors | None = None

    @property
    def roles_differ(self) -> bool:
        """Whether a text has one embedding as a query and another one as a document."""
        return self.embed_twice or self.query_tokens is not self.document_tokens


@dataclass(frozen=True)
class StepBatch:
    """What a step works on: the tokens of its U texts, who is whose positive and negative, the number of rows."""

    tokens: RaggedTokens
    structure: StepStructure
    rows: int


def tokenise(
    encoder: Embedder,
    source: Source,
    *,
    max_query_length: int | None = None,
    max_document_length: int | None = None,
    folder: Path | None = None,
) -> TokenisedSource:
    """Tokenise what a Source's rows use, each text once a role.

    Queries and the other texts get the prompts that the Source names or that suit its task (see
    :class:`cosmith.data.SourceSettings`), both with the Source's instruction.

    Args:
        encoder: Whose tokenizer and prompts.
        source: The rows.
        max_query_length: Tokens at which queries are cut; the Source's own setting goes first.
        max_document_length: Likewise for positives and negatives.
        folder: Where tokens are kept; None: the Source's own folder if it has one, else memory.

    Raises:
        InputError: When a maximum length keeps nothing of a text.
    """
    said = source.settings
    place = folder or source.folder
    prompts = (said.query_prompt, said.document_prompt)
    limits = (said.max_query_length or max_query_length, said.max_document_length or max_document_length)
    queries, documents = np.unique(source.query), np.unique(np.concatenate([source.positives, source.negatives]))
    keys = [
        encoder.token_key(prompt=prompt, instruction=said.instruction, max_length=limit)
        for prompt, limit in zip(prompts, limits, strict=True)
    ]

    def tokens(numbers: Int64, role: int) -> RaggedTokens:
        def tokenised(texts: list[str]) -> RaggedTokens:
            with length_told_as(("max_query_length", "max_document_length")[role], limits[role]):
                return encoder.tokenize(
                    texts, prompt=prompts[role], instruction=said.instruction, max_length=limits[role]
                )

        return tokens_of(source.texts, numbers, tokenised, keys[role], place)

    if keys[0] == keys[1]:
        both = tokens(np.union1d(queries, documents), 0)
        return TokenisedSource(source, both, both)
    return TokenisedSource(source, tokens(queries, 0), tokens(documents, 1))


@contextmanager
def length_told_as(setting: str, given: int | None) -> Iterator[None]:
    """Tell of a maximum length that is too small by the setting that gives it, if one does."""
    try:
        yield
    except InputError as error:
        if given is None or error.field != "max_length":
            raise
        raise InputError(error.problem, field=setting, remedy=error.remedy) from error


def assemble(tokenised: TokenisedSource, rows: Int64) -> StepBatch:
    """The distinct texts of these rows and their structure.

    A text that stands under both roles is two entries only where the roles read it differently; the two share their
    text identity, so that the loss knows them for the same. Positives that other rows of the Source know for a
    query of the step are told to the loss where they happen to be in the step.

    Args:
        tokenised: The Source.
        rows: int64 [R], row numbers.

    Raises:
        InputError: When a row's score is not a finite number.
    """
    source, count = tokenised.source, len(tokenised.source.texts)
    as_document = count if tokenised.roles_differ else 0  # entries are role × text, queries first
    query = source.query[rows]
    positives, positive_offsets = take_rows(source.positives, source.positive_offsets, rows)
    negatives, negative_offsets = take_rows(source.negatives, source.negative_offsets, rows)
    entries, places = np.unique(
        np.concatenate([query, positives + as_document, negatives + as_document]), return_inverse=True
    )
    query_place, positive_place, negative_place = np.split(places, [len(query), len(query) + len(positives)])

    known_query, known_document = source.known_positives(rows)
    known_document = known_document + as_document
    known_place = np.minimum(np.searchsorted(entries, known_document), len(entries) - 1)
    present = entries[known_place] == known_document

    numbers = np.arange(len(rows))
    positive_score, negative_score = _scores(source, rows, np.diff(positive_offsets))
    as_queries, as_documents = entries[entries < count], entries[entries >= count] - count
    teacher = tokenised.teacher
    if teacher is None:
        vectors = None
    elif tokenised.roles_differ:
        vectors = teacher.take(as_queries, as_documents)
    else:
        vectors = teacher.take_any(as_queries)
    structure = StepStructure.of(
        query=query_place,
        positives=positive_place,
        positive_row=np.repeat(numbers, np.diff(positive_offsets)),
        negatives=negative_place,
        negative_row=np.repeat(numbers, np.diff(negative_offsets)),
        text=entries % count,
        known_query=np.searchsorted(entries, known_query[present]),
        known_document=known_place[present],
        document_group=None if source.text_documents is None else source.text_documents[entries % count],
        label=None if source.labels is None else source.labels[rows],
        positive_score=positive_score,
        negative_score=negative_score,
        teacher=vectors,
    )
    tokens = tokenised.query_tokens.take(as_queries)
    if tokenised.roles_differ:
        tokens = RaggedTokens.concatenate([tokens, tokenised.document_tokens.take(as_documents)])
    return StepBatch(tokens, structure, len(rows))


def _scores(source: Source, rows: Int64, positives: Int64) -> tuple[Float32 | None, Float32 | None]:
    """The scores of these rows' positives [NP] and of their negatives [NN], from the number of positives a row [R]."""
    if source.scores is None:
        return None, None
    if problems := score_problems(source, rows):  # a Source is not made of such, but its files may have changed
        raise InputError(problems[0], field="scores", remedy="Make the Source again from its rows.")
    scores, offsets = take_rows(source.scores, source.arrays.score_offsets, rows)
    within = np.arange(len(scores)) - np.repeat(offsets[:-1], np.diff(offsets))
    of_positive = within < np.repeat(positives, np.diff(offsets))
    return scores[of_positive], scores[~of_positive]
