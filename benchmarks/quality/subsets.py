"""Rows to train on and smaller test sets, drawn at random from a collection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cosmith import Collection, TrainingRow


def draw_rows(train_set: Collection, count: int, seed: int) -> list[TrainingRow]:
    """A random ``count`` of the training questions, each with its first relevant answer."""
    queries = list(train_set.queries)
    chosen = np.random.default_rng(seed).permutation(len(queries))[:count]
    if len(chosen) < count:
        raise SystemExit(f"the training split has only {len(queries):,} questions; ask for fewer")
    rows = []
    for number in chosen:
        answers = [name for name, grade in train_set.relevance[queries[number]].items() if grade > 0]
        rows.append(TrainingRow(train_set.queries[queries[number]], (train_set.documents[answers[0]],)))
    return rows


def draw_test(test_set: Collection, queries: int, documents: int, seed: int = 0) -> Collection:
    """A random part of a test set: ``queries`` of its queries, all their answers, and others of the documents.

    Fewer documents are easier to search, so its values compare with each other and not with those of the whole.
    """
    rng = np.random.default_rng(seed)
    names = list(test_set.queries)
    asked = [names[number] for number in np.sort(rng.permutation(len(names))[:queries])]
    answers = {document for query in asked for document in test_set.relevance[query]}
    others = [document for document in test_set.documents if document not in answers]
    added = {others[number] for number in rng.permutation(len(others))[: max(0, documents - len(answers))]}
    return replace(
        test_set,
        documents={name: text for name, text in test_set.documents.items() if name in answers or name in added},
        queries={query: test_set.queries[query] for query in asked},
        relevance={query: test_set.relevance[query] for query in asked},
    )


def told(part: Collection, whole: Collection) -> str:
    """What a drawn test set is, for the head of a table."""
    return (
        f"{whole.name}: {len(part.queries):,} random test questions over {len(part.documents):,} of "
        f"{len(whole.documents):,} answers, so values compare within this table only."
    )
