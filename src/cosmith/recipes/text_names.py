"""What texts of several inputs are called together, and the names by which rows know the texts of a corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cosmith.data import Passage, Source
from cosmith.data.passages import document_of_id
from cosmith.recipes.artefacts import Artefacts
from cosmith.recipes.cleaning_schemas import CleanStage
from cosmith.recipes.document_schemas import ChunksStage
from cosmith.recipes.graph import stage_of
from cosmith.recipes.row_schemas import WeakPairsStage
from cosmith.recipes.schema import Recipe
from cosmith.recipes.synthesis_schemas import SynthesiseStage


def name_among(inputs: Sequence[str], name: str, given: str) -> str:
    """What a stage calls a text of one of its inputs: by its id, behind ``INPUT/`` where there are several inputs,
    since two may have the same ids."""
    return f"{name}/{given}" if len(inputs) > 1 else given


def corpus_of(names: Sequence[str], artefacts: Artefacts) -> Iterator[Passage]:
    """The texts of a corpus, each with the document that it is of.

    Rows may know a document by its id or, where their stage or one above it had several inputs, by
    :func:`name_among` of any stage that hands the same texts on. So a text comes once for each such name. Of training
    rows, queries and answers are also of the documents that the rows are from.
    """
    for name in names:
        prefixes = _prefixes(artefacts.recipe, name)
        for given, text in artefacts.named_texts(name):
            bare = next((given[len(each) :] for each in prefixes if given.startswith(each)), given)
            for known in dict.fromkeys([bare, given, *(each + bare for each in prefixes)]):
                yield Passage(given, text, document_of_id(known))
        if artefacts.kind(name) == "source":
            yield from _of_rows(artefacts.source(name))


def _of_rows(source: Source) -> Iterator[Passage]:
    if source.document_groups is not None:
        for row, document in zip(source.rows(), source.document_groups, strict=True):
            for text in (row.query, *row.positives):
                yield Passage(document, text)


def _prefixes(recipe: Recipe, name: str) -> list[str]:
    """What some stage puts, or has put, before the ids of texts that come from where these come from."""
    origins = _origins(recipe, name)
    found: dict[str, None] = {}
    for stage in recipe.stages.values():
        if isinstance(stage, ChunksStage | WeakPairsStage | SynthesiseStage) and len(stage.texts) > 1:
            found |= {f"{each}/": None for each in stage.texts if origins & _origins(recipe, each)}
    return list(found)


def _origins(recipe: Recipe, name: str) -> set[str]:
    """The outputs from which these texts come, through stages that cut or clean them and keep their ids."""
    stage = recipe.stages.get(stage_of(name) or "")
    if isinstance(stage, ChunksStage):
        return {name}.union(*(_origins(recipe, each) for each in stage.texts))
    if isinstance(stage, CleanStage) and stage.texts is not None:
        return {name} | _origins(recipe, stage.texts)
    return {name}
