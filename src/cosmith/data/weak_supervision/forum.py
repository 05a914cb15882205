"""Title and first post of a thread → its accepted or best answer, as of StackExchange and Reddit in E5 and GTE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from cosmith.data.record_values import UnusableError, name_of, text_of
from cosmith.data.records import Record, Table
from cosmith.data.records_file import RecordsFile
from cosmith.data.tables import open_table
from cosmith.data.weak_supervision.pair import Pair
from cosmith.data.weak_supervision.settings import require_choice, require_number
from cosmith.errors import InputError

# Names of keys, folded and without signs; the first that a record has counts.
_ID = ("id", "threadid", "questionid")
_TITLE = ("title", "subject", "questiontitle")
_POST = ("post", "question", "body", "text", "content", "selftext", "questionbody")
_ANSWERS = ("answers", "replies", "responses", "comments")
_ANSWER_TEXT = ("text", "body", "answer", "content", "post", "reply", "answerbody")
_ANSWER_ID = ("id", "answerid", "postid", "aid")
_ACCEPTED = ("isaccepted", "accepted", "isbest", "best", "ischosen", "chosen", "issolution", "solution", "isanswer")
_SCORE = ("score", "votes", "upvotes", "points", "pmscore", "likes")
_CHOSEN = ("acceptedanswer", "bestanswer", "acceptedanswerid", "bestanswerid", "chosenanswer", "solution")

_LOOKED_AT = 100  # records that tell whether a file is one of threads


@dataclass(frozen=True)
class Answer:
    """An answer of a thread: its text, whether the asker or a moderator took it, and its votes, where there are any."""

    text: str
    accepted: bool = False
    score: float | None = None


@dataclass(frozen=True)
class Thread:
    """A question of a forum with its answers in their order."""

    id: str
    title: str
    post: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Forum:
    """The question of a thread finds its accepted answer or, where none is, the one with most votes.

    Attributes:
        query: What of the question is the query: its ``title``, or ``title-and-post``; whichever there is where it has
            not both.
        least_score: The votes that an answer must have which nobody accepted.

    Raises:
        InputError: When a value is not possible.
    """

    query: Literal["title", "title-and-post"] = "title-and-post"
    least_score: float = 1

    def __post_init__(self) -> None:
        require_choice("query", self.query, ("title", "title-and-post"))
        require_number("least_score", self.least_score)


def thread_pairs(threads: Iterable[Thread], form: Forum) -> Iterator[Pair]:
    """A pair of each thread that has an answer known to be good."""
    for thread in threads:
        title, post = thread.title.strip(), thread.post.strip()
        query = title if title and form.query == "title" else f"{title} {post}".strip()
        best = _best(thread.answers, form)
        if best is None:
            problem = "no answer was accepted or has the votes" if thread.answers else "nobody has answered"
            yield Pair("forum", query, "", thread.id, thread.id, problem=problem)
        else:
            yield Pair("forum", query, best.text.strip(), thread.id, thread.id)


def open_threads(path: str | Path) -> RecordsFile[Thread]:
    """Threads of a JSONL or Parquet file, one a record, read as they are asked for.

    A record has a ``title``, a post (``post``, ``question``, ``body``, ``text`` or ``content``), or both, and
    ``answers`` (or ``replies``, ``comments``): texts, or objects with a text (``text``, ``body``, ``answer`` or
    ``content``), whether it was taken (``accepted``, ``is_accepted``, ``best``, …) and its votes (``score``,
    ``votes``, ``upvotes``, …). ``accepted_answer`` or ``best_answer`` beside them may give the text of the one taken,
    or, as ``accepted_answer_id``, its id or place from 0. Case and underscores do not count.

    Raises:
        InputError: When the file is missing, empty, not UTF-8 or not of its format, or has no answers; that no record
            can be used shows when they are gone through.
    """
    table = open_table(path)
    if _key(dict.fromkeys(table.columns), _ANSWERS + _CHOSEN) is None:
        raise InputError(
            f"no column is called {' or '.join(_ANSWERS)}; its columns: {', '.join(map(repr, table.columns))}",
            path=table.path,
            remedy="Give a file with a thread a line: its title, its first post and a list of answers.",
        )
    return RecordsFile.of(table, _thread_of, {})


def holds_threads(table: Table) -> bool:
    """Whether the first records of a table are threads: a title or post, and a list of answers."""
    columns = dict.fromkeys(table.columns)
    if _key(columns, _ANSWERS) is None or _key(columns, _TITLE + _POST) is None:
        return False
    return any(isinstance(_value(record.values, _ANSWERS), list) for record in islice(table.records(), _LOOKED_AT))


def _thread_of(record: Record) -> Thread:
    values = record.values
    title, post = (_text(_value(values, names)) for names in (_TITLE, _POST))
    if not (title.strip() or post.strip()):
        raise UnusableError("has neither a title nor a post")
    given = _value(values, _ID)
    answers = _value(values, _ANSWERS)
    if answers is not None and not isinstance(answers, list):
        raise UnusableError(f"its answers are no list but of type {type(answers).__name__}")
    return Thread(
        str(record.line) if given is None else name_of(given, "the id"),
        title,
        post,
        tuple(_answers(answers or [], _value(values, _CHOSEN))),
    )


def _answers(given: Sequence[Any], chosen: Any) -> Iterator[Answer]:
    """The answers, with the one that the thread calls the accepted one marked as such."""
    found = False
    for number, each in enumerate(given):
        values = each if isinstance(each, dict) else {"text": each}
        text = text_of(_value(values, _ANSWER_TEXT), f"answer {number + 1}")
        identity = _value(values, _ANSWER_ID)
        mine = chosen is not None and (str(chosen) == str(identity) if identity is not None else chosen == number)
        mine = not isinstance(chosen, bool) and (mine or chosen == text)
        found = found or mine
        yield Answer(text, mine or _yes(_value(values, _ACCEPTED)), _score(_value(values, _SCORE)))
    if not found and chosen is not None:
        text = _text(_value(chosen, _ANSWER_TEXT)) if isinstance(chosen, dict) else chosen
        if isinstance(text, str) and " " in text.strip():  # a text, no id of an answer that is not here
            yield Answer(text, accepted=True)


def _best(answers: Sequence[Answer], form: Forum) -> Answer | None:
    """The accepted answer; else the one with most votes, the earliest of equal ones."""
    accepted = [answer for answer in answers if answer.accepted]
    scored = accepted or [each for each in answers if each.score is not None and each.score >= form.least_score]
    return max(scored, key=lambda answer: answer.score if answer.score is not None else 0.0, default=None)


def _value(values: Mapping[str, Any], names: Sequence[str]) -> Any:
    key = _key(values, names)
    return None if key is None else values[key]


def _key(values: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The key of the first of ``names`` that is there with something in it, or is there at all."""
    plain = {_plain(key): key for key in values}
    there = [plain[name] for name in names if name in plain]
    return next((key for key in there if values[key] not in (None, "")), there[0] if there else None)


def _plain(key: str) -> str:
    """A key without case, spaces and signs."""
    return "".join(filter(str.isalnum, key)).casefold()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnusableError(f"its title or post is not a text but of type {type(value).__name__}")
    return text_of(value, "its title or post") if value.strip() else ""


def _yes(value: Any) -> bool:
    return value.strip().casefold() in ("true", "yes", "1") if isinstance(value, str) else bool(value)


def _score(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
