"""The forms of weak pairs by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from cosmith.data.documents import Document
from cosmith.data.weak_supervision.anchor import Anchor
from cosmith.data.weak_supervision.co_clicked import CoClicked
from cosmith.data.weak_supervision.docstring import Docstring, docstring_pairs
from cosmith.data.weak_supervision.first_sentence import FirstSentence, first_sentence_pairs
from cosmith.data.weak_supervision.forum import Forum
from cosmith.data.weak_supervision.heading import Heading, heading_pairs
from cosmith.data.weak_supervision.inverse_cloze import InverseCloze, inverse_cloze_pairs
from cosmith.data.weak_supervision.neighbours import Neighbours, neighbour_pairs
from cosmith.data.weak_supervision.pair import Pair
from cosmith.data.weak_supervision.question import Question, question_pairs
from cosmith.data.weak_supervision.title import Title, title_pairs
from cosmith.errors import InputError, nearest

Form = (
    Title | Heading | Question | Forum | FirstSentence | Docstring | InverseCloze | Neighbours | Anchor | CoClicked
)  # fmt: skip


class _OfDocument(Protocol):
    def __call__(self, document: Document, form: Any, /) -> Iterator[Pair]: ...


@dataclass(frozen=True)
class FormKind:
    """What is known of a form.

    Attributes:
        settings: The class of its settings.
        of_document: Makes the pairs of one document; None where it takes more than that.
        prose: Reads sentences, of which source code has none.
        finds_queries: What is found is a query, too: it may be short, and many may find it.
    """

    settings: type[Form]
    of_document: _OfDocument | None = None
    prose: bool = False
    finds_queries: bool = False


FORMS: Mapping[str, FormKind] = {
    "title": FormKind(Title, title_pairs),
    "heading": FormKind(Heading, heading_pairs, prose=True),
    "question": FormKind(Question, question_pairs, prose=True),
    "forum": FormKind(Forum),
    "first-sentence": FormKind(FirstSentence, first_sentence_pairs, prose=True),
    "docstring": FormKind(Docstring, docstring_pairs),
    "inverse-cloze": FormKind(InverseCloze, inverse_cloze_pairs, prose=True),
    "neighbours": FormKind(Neighbours, neighbour_pairs, prose=True),
    "anchor": FormKind(Anchor),
    "co-clicked": FormKind(CoClicked, finds_queries=True),
}
"""Name → form, the likeliest to be good first."""

DEFAULT_FORMS: tuple[Form, ...] = (Title(), FirstSentence())


def name_of_form(form: Form) -> str:
    """The name of a form."""
    return next(name for name, kind in FORMS.items() if isinstance(form, kind.settings))


def form_named(said: str | Mapping[str, Any] | Form, **unless_said: Any) -> Form:
    """A form as a recipe says it.

    Args:
        said: Its name; or a mapping of ``name`` and those of its settings that are not to be the default, e.g.
            ``{"name": "inverse-cloze", "kept_in": 0.2}``; or the form itself, which stays what it is.
        unless_said: What settings that are not said are to be, in forms that have them.

    Raises:
        InputError: When there is no such form, or a setting is unknown or not possible.
    """
    if not isinstance(said, str | Mapping):
        return said
    given = {"name": said} if isinstance(said, str) else dict(said)
    name = str(given.pop("name", ""))
    if name not in FORMS:
        problem = f"unknown form {name!r}" if name else "a form with settings needs a name"
        raise InputError(problem, field="forms", remedy=nearest(name, FORMS))
    settings = FORMS[name].settings
    known = [field.name for field in fields(settings)]
    for key in given:
        if key not in known:
            remedy = nearest(key, known) if known else "It has none; write its name alone."
            raise InputError(f"the form {name} has no setting {key!r}", field="forms", remedy=remedy)
    values = {key: value for key, value in unless_said.items() if key in known} | given
    try:
        return settings(**values)
    except TypeError as error:
        raise InputError(f"the form {name}: {error}", field="forms", remedy="Give one of the right type.") from error
    except InputError as error:
        raise InputError(f"the form {name}: {error.problem}", field="forms", remedy=error.remedy) from error
