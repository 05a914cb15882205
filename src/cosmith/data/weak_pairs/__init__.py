"""Training pairs out of documents, without labels and without a language model; each form has a module of its own."""

from cosmith.data.weak_pairs.anchor import GENERIC_ANCHORS, Anchor
from cosmith.data.weak_pairs.choosing import PairLimits
from cosmith.data.weak_pairs.co_clicked import Clicked, CoClicked
from cosmith.data.weak_pairs.docstring import Docstring
from cosmith.data.weak_pairs.first_sentence import FirstSentence
from cosmith.data.weak_pairs.forms import DEFAULT_FORMS, FORMS, Form, form_named, name_of_form
from cosmith.data.weak_pairs.forum import Answer, Forum, Thread, open_threads
from cosmith.data.weak_pairs.heading import GENERIC_HEADINGS, Heading
from cosmith.data.weak_pairs.inverse_cloze import InverseCloze
from cosmith.data.weak_pairs.making import FormCounts, WeakPairs, weak_pairs
from cosmith.data.weak_pairs.neighbours import Neighbours
from cosmith.data.weak_pairs.pair import Pair
from cosmith.data.weak_pairs.question import Question
from cosmith.data.weak_pairs.title import Title

__all__ = [
    "DEFAULT_FORMS",
    "FORMS",
    "GENERIC_ANCHORS",
    "GENERIC_HEADINGS",
    "Anchor",
    "Answer",
    "Clicked",
    "CoClicked",
    "Docstring",
    "FirstSentence",
    "Form",
    "FormCounts",
    "Forum",
    "Heading",
    "InverseCloze",
    "Neighbours",
    "Pair",
    "PairLimits",
    "Question",
    "Thread",
    "Title",
    "WeakPairs",
    "form_named",
    "name_of_form",
    "open_threads",
    "weak_pairs",
]
