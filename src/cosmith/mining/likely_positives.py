"""Documents that look like answers though nobody has marked them: shown, written down, judged, and fed back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmith.atomic import atomic_file
from cosmith.errors import InputError

if TYPE_CHECKING:
    from cosmith.data import Source, TrainingRow


@dataclass(frozen=True)
class LikelyPositive:
    """A document that looks like an answer, though nobody has marked it as one.

    Attributes:
        query: The query.
        document: The document.
        score: What the model gives it with the query.
        positive_score: That of the query's (lowest) known answer.
        by: What kind of model took it for an answer: ``encoder`` or ``cross-encoder``.
    """

    query: str
    document: str
    score: float
    positive_score: float
    by: str = "encoder"


@dataclass(frozen=True)
class Review:
    """What people have said of likely positives.

    Attributes:
        answers: Pairs of a query and a document that answers it.
        non_answers: Pairs of a query and a document that does not, whatever a model thinks.
        judged: The lines of the file that say so, as they stand there.
    """

    answers: tuple[tuple[str, str], ...] = ()
    non_answers: tuple[tuple[str, str], ...] = ()
    judged: tuple[dict[str, Any], ...] = ()


def write_review(path: str | Path, found: Iterable[LikelyPositive], earlier: Review | None = None) -> int:
    """Write likely positives as JSON lines, ``answers: null`` in each for a person to set to true or false.

    Args:
        path: The file; replaced as a whole.
        found: What is to be judged.
        earlier: What was judged before: its lines go first, as they were, and their pairs are not asked for again.

    Returns:
        How many are there to be judged.
    """
    judged = () if earlier is None else earlier.judged
    known = {(line["query"], line["document"]) for line in judged}
    count = 0
    with atomic_file(path) as handle:
        for line in judged:
            handle.write(json.dumps(line, ensure_ascii=False) + "\n")
        for each in found:
            if (each.query, each.document) not in known:
                handle.write(json.dumps({**asdict(each), "answers": None}, ensure_ascii=False) + "\n")
                known.add((each.query, each.document))
                count += 1
    return count


def read_review(path: str | Path) -> Review:
    """What people have written into a file of :func:`write_review`; lines with ``answers: null`` say nothing.

    Raises:
        InputError: When the file is missing, or a line is not what it should be; it names the line.
    """
    answers: list[tuple[str, str]] = []
    non_answers: list[tuple[str, str]] = []
    judged: list[dict[str, Any]] = []
    for number, line in _lines(Path(path)):
        verdict = line.get("answers")
        texts = [line.get("query"), line.get("document")]
        if not all(isinstance(text, str) and text for text in texts):
            raise InputError("lacks a query or a document", path=path, line=number, remedy="Leave these as they were.")
        if not (verdict is None or isinstance(verdict, bool)):
            raise InputError(
                f"says {verdict!r}", path=path, line=number, field="answers",
                remedy="Say true where the document answers the query, false where it does not, null to leave it open.",
            )  # fmt: skip
        if verdict is not None:
            (answers if verdict else non_answers).append((str(texts[0]), str(texts[1])))
            judged.append(line)
    return Review(tuple(answers), tuple(non_answers), tuple(judged))


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open(encoding="utf-8") as handle:
            for number, text in enumerate(handle, start=1):
                if text.strip():
                    line = json.loads(text)
                    if not isinstance(line, dict):
                        raise InputError("is not a JSON object", path=path, line=number, remedy="Mend or remove it.")
                    yield number, line
    except FileNotFoundError as error:
        raise InputError("there is no such file", path=path, remedy="Mine first: it is written then.") from error
    except UnicodeDecodeError as error:
        raise InputError("is not UTF-8", path=path, remedy="Save it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"is not JSON ({error.msg})", path=path, line=number, remedy="Change nothing but the word after `answers`."
        ) from error


def with_answers(source: Source, answers: Iterable[tuple[str, str]]) -> Source:
    """The source with these documents among the positives of all rows of their query, behind those that they have.

    A row that has one of them as a negative has it so no more. Scores are left out, since they belong to the texts
    that rows had. Where no row changes, the source is returned as it is.
    """
    more: dict[str, dict[str, None]] = {}
    for query, document in answers:
        more.setdefault(query, {})[document] = None
    if not more or not any(_gains(row, more) for row in source.rows()):
        return source

    def changed(row: TrainingRow) -> TrainingRow:
        new = more.get(row.query, {})
        return replace(
            row,
            positives=tuple(dict.fromkeys(chain(row.positives, new))),
            negatives=tuple(text for text in row.negatives if text not in new),
            scores=None,
        )

    return type(source).from_rows(source.name, map(changed, source.rows()), source.settings)


def _gains(row: TrainingRow, more: dict[str, dict[str, None]]) -> bool:
    return not more.get(row.query, {}).keys() <= set(row.positives)
