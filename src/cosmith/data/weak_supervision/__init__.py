"""Training pairs out of documents, without labels and without a language model; each form has a module of its own."""

from cosmith.data.weak_supervision.anchor import GENERIC_ANCHORS, Anchor
from cosmith.data.weak_supervision.choosing import PairLimits
from cosmith.data.weak_supervision.co_clicked import Clicked, CoClicked
from cosmith.data.weak_supervision.docstring import Docstring
from cosmith.data.weak_supervision.first_sentence import FirstSentence
from cosmith.data.weak_supervision.forms import DEFAULT_FORMS, FORMS, Form, form_named, name_of_form
from cosmith.data.weak_supervision.forum import Answer, Forum, Thread, open_threads
from cosmith.data.weak_supervision.heading import GENERIC_HEADINGS, Heading
from cosmith.data.weak_supervision.inverse_cloze import InverseCloze
from cosmith.data.weak_supervision.making import FormCounts, WeakPairs, weak_pairs
from cosmith.data.weak_supervision.neighbours import Neighbours
from cosmith.data.weak_supervision.pair import Pair
from cosmith.data.weak_supervision.question import Question
from cosmith.data.weak_supervision.title import Title

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
