"""Labelled texts as rows of query, positive and negatives: classification and clustering as contrastive data.

Two forms (NV-Embed, arXiv:2405.17428, Section 4.2.2). *Label-based*, its first version: a text is the query, the text
of its label the positive, the texts of other labels the negatives. *Example-based*, its second: another text of the
class is the positive, texts of other classes are the negatives; nothing has to be known of a label but that it is one.
Of either, a clustering task is the same thing with clusters for classes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from cosmith.data.ragged import Int64
from cosmith.data.rows import SourceSettings, TrainingRow
from cosmith.data.source import Source
from cosmith.data.texts import text_problem
from cosmith.errors import InputError


def example_pairs(
    name: str,
    texts: Sequence[str],
    labels: Sequence[Hashable],
    *,
    positives: int = 1,
    negatives: int = 7,
    seed: int = 0,
    settings: SourceSettings | None = None,
) -> Source:
    """A Source of each text with texts of its class, and with texts of other classes.

    Which ones is drawn by ``seed``: positives from the class without repetition, negatives so that every other class
    comes before one comes twice (a large class would else be nearly all of them). For hard negatives in their place,
    give the Source to :func:`cosmith.mining.mine_hard_negatives`: of rows with labels it takes texts of other classes
    only, the nearest ones. Equal texts of one class are one text; a text that is its class's only one
    has no positive and gives no row.

    Args:
        name: What to call the Source.
        texts: N texts.
        labels: The class of each, anything that can be told apart; rows carry its number in order of appearance.
        positives: Of each text, at least 1, or as many as its class has.
        negatives: Of each text, or as many as the other classes have; 0 for none, where mining is to find them.
        seed: Chooses them.
        settings: Those of the Source; None: the task ``classification``, without in-batch negatives.

    Raises:
        InputError: When a count or a text makes no sense, a label is missing (None, NaN), the lists differ in length,
            there are fewer than two classes, a text stands in two classes, or no class has two texts.
    """
    _require_count("positives", positives, least=1)
    _require_count("negatives", negatives, least=0)
    label_of, classes = _classes(texts, labels)
    members = [[text for text, label in label_of.items() if label == number] for number in range(len(classes))]
    generator = np.random.default_rng(seed)
    rows = []
    for text, label in label_of.items():
        others = [other for other in members[label] if other != text]
        if not others:
            continue
        near = generator.permutation(len(others))[:positives]
        far = _spread(
            generator, [len(each) if number != label else 0 for number, each in enumerate(members)], negatives
        )
        rows.append(
            TrainingRow(
                text,
                tuple(others[place] for place in near.tolist()),
                tuple(members[number][place] for number, place in far),
                label=label,
            )
        )
    if not rows:
        raise InputError(
            "no class has two texts, so that no text has a positive",
            field="labels",
            remedy="Use label_pairs, where the label's text is the positive.",
        )
    return Source.from_rows(name, rows, settings or SourceSettings(task="classification"))


def label_pairs(
    name: str,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    negatives: int | None = None,
    seed: int = 0,
    settings: SourceSettings | None = None,
) -> Source:
    """A Source of each text with the text of its label, and with those of other labels.

    Args:
        name: What to call the Source.
        texts: N texts.
        labels: What the class of each is called, e.g. ``"card payment declined"``: text, since it is embedded.
        negatives: Of each text, drawn by ``seed``; None: all other labels; 0: none.
        seed: Chooses them.
        settings: Those of the Source; None: the task ``classification``, without in-batch negatives.

    Raises:
        InputError: When a count, a text or a label makes no sense, the lists differ in length, there are fewer than two
            classes, or a text stands in two.
    """
    if negatives is not None:
        _require_count("negatives", negatives, least=0)
    label_of, classes = _classes(texts, labels)
    names = [_name_of(label) for label in classes]
    generator = np.random.default_rng(seed)
    rows = []
    for text, label in label_of.items():
        others = generator.permutation(np.delete(np.arange(len(names)), label))[:negatives]
        rows.append(TrainingRow(text, (names[label],), tuple(names[other] for other in others.tolist()), label=label))
    return Source.from_rows(name, rows, settings or SourceSettings(task="classification"))


def self_pairs(name: str, texts: Sequence[str], *, settings: SourceSettings | None = None) -> Source:
    """A Source of each distinct text with itself as its positive, for the loss ``simcse`` (arXiv:2104.08821).

    Args:
        name: What to call the Source.
        texts: Any texts.
        settings: Those of the Source; None: the task ``pair`` with in-batch negatives and that loss.

    Raises:
        InputError: When there is none, or one cannot be used.
    """
    _require_several(texts)
    usual = SourceSettings(task="pair", loss="simcse", in_batch_negatives=True)
    return Source.from_rows(name, (TrainingRow(text, (text,)) for text in dict.fromkeys(texts)), settings or usual)


def _classes(texts: Sequence[str], labels: Sequence[Hashable]) -> tuple[dict[str, int], list[Hashable]]:
    """The number of each distinct text's class, and the classes in order of appearance."""
    _require_several(texts)
    if isinstance(labels, str):
        raise InputError("is one text, not a list of labels", field="labels", remedy="Give a label for each text.")
    if len(texts) != len(labels):
        raise InputError(f"{len(labels)} labels for {len(texts)} texts", field="labels", remedy="Give one for each.")
    numbers: dict[Hashable, int] = {}
    label_of: dict[str, int] = {}
    for place, (text, label) in enumerate(zip(texts, labels, strict=True)):
        if problem := text_problem(text):
            raise InputError(f"text {place} (counted from 0) {problem}", field="texts", remedy="Leave it out.")
        if label is None or label != label:  # NaN is no class: it does not even equal itself
            raise InputError(
                f"text {place} (counted from 0) has no class: its label is {label!r}",
                field="labels",
                remedy="Leave the text out, or give it a class.",
            )
        number = numbers.setdefault(label, len(numbers))
        if label_of.setdefault(text, number) != number:
            raise InputError(
                f"text {place} (counted from 0) stands in two classes: {text[:80]!r}",
                field="labels",
                remedy="Leave it out, or in one of them.",
            )
    if len(numbers) < 2:
        raise InputError(
            "there are fewer than two classes", field="labels", remedy="Give texts of two classes or more."
        )
    return label_of, list(numbers)


def _name_of(label: object) -> str:
    """The text of a label that is to be embedded."""
    if problem := text_problem(label):
        raise InputError(
            f"the label {label!r} {problem}",
            field="labels",
            remedy="Say what the class is called, or use example_pairs.",
        )
    return str(label)


def _require_several(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise InputError("is one text, not a list of texts", field="texts", remedy="Write [text].")


def _require_count(field: str, given: int, *, least: int) -> None:
    if given < least:
        raise InputError(f"must be at least {least}, got {given}", field=field)


def _spread(generator: np.random.Generator, sizes: Sequence[int], count: int) -> list[tuple[int, int]]:
    """Draw ``count`` different (class, place within it), round after round over all classes that have one left."""
    order = [generator.permutation(size) for size in sizes]
    found: list[tuple[int, int]] = []
    left: Int64 = np.flatnonzero(np.asarray(sizes))
    turn = 0
    while len(left) and len(found) < count:
        for number in generator.permutation(left).tolist()[: count - len(found)]:
            found.append((number, int(order[number][turn])))
        turn += 1
        left = left[np.asarray(sizes)[left] > turn]
    return found
