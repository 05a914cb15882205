"""The first sentence of a docstring as something that a person might type into a search box."""

from __future__ import annotations

import re

# Markup, and what a reader sees of it.
_ROLE = re.compile(r":[a-z]+(?::[a-z]+)*:`([^`]+)`")
_LINK = re.compile(r"`([^`<]+?)\s*<[^>]+>`_{0,2}")
_LITERAL = re.compile(r"`{1,2}([^`]+)`{1,2}_{0,2}")
_MARKDOWN_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_FOOTNOTE = re.compile(r"\s*\[[#\w]{1,12}\]_")
_EMPHASIS = re.compile(r"(?<![\w*])\*{1,2}([A-Za-z][^*\s]*(?: [^*\s]+)*)\*{1,2}(?![\w*])")

_TRAILER = re.compile(r"(?:[\s.:;,(-]|\b(?:e\.g|i\.e|for example|for instance|as follows|such as)\b)+$", re.IGNORECASE)
_STRAY = re.compile(r"`|\\(?=[^\w\s])")
_ASCII_LETTERS = re.compile("[A-Za-z]")

# Lines that are no sentence, or end one.
_SIGNATURE = re.compile(r"^[\w.]+\s*\(.*\)\s*(?:->.*|=.*)?:?$", re.DOTALL)
_CALL_RESULT = re.compile(r"^[\w.]+\([^()]*\)\s*->\s*[\w.\[\], ]+?(?:\s+--?|\s*[:.]|\n)\s*")
_SECTION = re.compile(r"^(?:[:@]\w[^:]*:|\.\. |>>> |```|[-=~*#]{3,}\s*$|[-*•] |\d+[.)] |\|)|^[A-Z][\w ]{2,20}:$")
_BRACKETED = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_FIELD = re.compile(rf"^\*{{0,2}}[\w.]+(?:\[[\w\[\], .|]+\])?(?: ?{_BRACKETED}\s*:(?!:)| : |(?<=\]):)")
_FORMULA = re.compile(r"^[\w.\-]+(?:\([^()]*\))? ?(?:\[[^\]]*\] ?)?(?:=+|<?[-=]+>) ")
_URL = re.compile(r"\s*\(?<?\bhttps?://[^\s()<>]+(?:\([^\s()]*\)[^\s()<>]*)?>?\)?")
_DANGLING = re.compile(
    r"\b(?:on|of|by|the|with|such|to|from|is|are|an?|and|or|into|where|when|which|following)$", re.IGNORECASE
)
_UNDERLINE = re.compile(r"^[-=~^*]{3,}\s*$")
_HEADINGS = re.compile(
    r"^(?:args?|arguments?|parameters?|params?|returns?|raises?|yields?|notes?|examples?|usage|see also"
    r"|inputs?|outputs?|attributes|keyword arguments?|references|warnings?):?$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|eg|ie|etc|vs|cf|figs?|eqs?|eqn|sec|ref|no|al|approx|resp|incl|excl|dr|mr|st|a\.k\.a|w\.r\.t"
    r"|max|min|num)|\.\.)\.$",
    re.IGNORECASE,
)

# Sentences that would fit any function, or send the reader elsewhere.
_BOILERPLATE = re.compile(
    "^(?:"
    + "|".join(
        (
            r"see (?:the )?(?:base|parent|super|class|docs?|documentation|also|help|above|below|:)",
            r"please (?:see|refer)|refer to\b|for (?:details|internal|backwards?)|link to\b|usage\b|copyright\b",
            r"return self\b|returns? the docstring|inherit|overrides?\b|overridden|override of",
            r"implements? (?:the )?(?:abstract|base|parent|super|interface)",
            r"same as\b|like\b|equivalent (?:to|of)\b|alias (?:for|of)\b|(?:this is )?an? alias\b",
            r"(?:a )?(?:wrapper|shortcut|convenience (?:wrapper|function|method)) (?:around|for|of|over)\b.{0,40}$",
            r"wraps?\b.{0,30}$|helper (?:function|method)\b.{0,25}$|magic method\b",
            r"todo\b|fixme\b|not implemented|do not use|don't use|internal\b|private\b",
            r"(?:this )?(?:method|function) is (?:internal|private|deprecated|called by)",
            r"initiali[sz]e (?:self|the (?:class|object|instance))\b|constructor\b|init(?:ializer)?\b.{0,20}$",
            r"return (?:a )?(?:string|str|repr\w*) (?:representation|version)\b.{0,25}$",
            r"compare (?:self|two)\b.{0,20}$|x\.__\w+__",
            r"(?:adapted|copied|taken|borrowed|modified|ported) from\b",
        )
    )
    + ")",
    re.IGNORECASE,
)

# Words that add nothing to the name of a function.
_FILLER = frozenset(
    re.findall(
        r"\w+",
        """a an the of to for in on from with by at as is are be this that it its self and or if given
        get gets return returns set sets value object instance method function class property new
        initialize initializer init constructor create creates construct constructs build""",
    )
)


def summary(docstring: str) -> str:
    """The first sentence of a cleaned docstring, without markup; empty if it begins with no sentence.

    A signature in the first line (C functions, NumPy) is passed over; a formula, a rule of a grammar, a list of
    parameters or a sentence that runs into a list ("is one of") is none. A sentence ends at a full stop before white
    space, at an empty line, or where a list, a field (``:param x:``) or a section begins.
    """
    for paragraph in re.split(r"\n\s*\n", docstring.strip())[:2]:
        text = paragraph.strip()
        text = _CALL_RESULT.sub("", text, count=1)
        if not text or (_SIGNATURE.match(text) and " " not in text.split("(", 1)[0]):
            continue
        sentence = _first_sentence(" ".join(_lines_of_sentence(text).split()))
        whole = sentence.endswith((".", "!", "?"))
        sentence = _tidy(sentence)
        unfinished = not whole and _DANGLING.search(sentence) is not None
        return "" if unfinished or _FORMULA.match(sentence) else sentence
    return ""


def _lines_of_sentence(paragraph: str) -> str:
    """The lines of a paragraph up to its first list, field, heading or example."""
    kept: list[str] = []
    lines = [line.strip() for line in paragraph.split("\n")]

    def opens_something_else(line: str) -> bool:
        return any(pattern.match(line) for pattern in (_HEADINGS, _FIELD, _SECTION))

    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        emphasised = number == 0 and line.startswith(("*", "|"))
        if opens_something_else(line) and not emphasised:
            break
        if _UNDERLINE.match(following):
            # A title with a line under it: a sentence if it is one, a section's name if not.
            return " ".join([*kept, line])
        kept.append(line)
        if line.endswith("::"):
            break
    return " ".join(kept)


def _first_sentence(text: str) -> str:
    for end in _SENTENCE_END.finditer(text):
        if not _ABBREVIATION.search(text[: end.end()]):
            return text[: end.end()]
    return text


def _tidy(sentence: str) -> str:
    """Plain words out of reStructuredText and Markdown."""
    sentence = _ROLE.sub(lambda match: _role_text(match.group(1)), sentence)
    sentence = _MARKDOWN_LINK.sub(r"\1", _LINK.sub(r"\1", sentence))
    sentence = _URL.sub("", sentence)
    sentence = _LITERAL.sub(lambda match: match.group(1).removeprefix("~").lstrip("."), sentence)
    sentence = _FOOTNOTE.sub("", sentence)
    sentence = _STRAY.sub("", _EMPHASIS.sub(r"\1", sentence))
    return _TRAILER.sub("", " ".join(sentence.split())).strip()


def _role_text(target: str) -> str:
    """What a reader sees of a role: its title, or the name (the last part of it after ``~``)."""
    title, bracket, _ = target.partition("<")
    if bracket and title.strip():
        return title.strip()
    target = target.strip("<> ")
    if target.startswith("~"):
        return target[1:].rpartition(".")[2]
    return target.lstrip(".!")


def words_of(text: str) -> list[str]:
    """Lower-case words and parts of names: ``getLineWidth`` and ``get_line_width`` alike."""
    parts = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    return re.findall(r"[a-z0-9]+", parts.lower())


def normalised(query: str) -> str:
    """Equal for queries that differ in case, signs and spaces only."""
    return " ".join(re.findall(r"\w+", query.lower()))


def repeats_name(query: str, qualname: str) -> bool:
    """Whether a query says no more than the name of its function (and class) does."""
    name = {_stem(word) for word in words_of(qualname)}
    said = {_stem(word) for word in words_of(query)} - {_stem(word) for word in _FILLER}
    return said <= name


def _stem(word: str) -> str:
    return re.sub(r"(?:ies|ing|ed|es|s|e|y)$", "", word) if len(word) > 3 else word


def is_boilerplate(query: str) -> bool:
    """Whether a query points elsewhere or would fit any function ("See base class", "Return self")."""
    return _BOILERPLATE.match(query) is not None


def is_english(query: str) -> bool:
    """Whether a query is mostly words of ASCII letters: no other script, no formula, no table."""
    if not query.isprintable():
        return False
    visible = "".join(query.split())
    letters = sum(map(str.isalpha, visible))
    plain = len(_ASCII_LETTERS.findall(visible))
    return plain >= 0.95 * letters and plain >= 0.7 * len(visible)
