"""The functions of installed packages as pairs: which are found, how they are cut out, why others are dropped."""

from __future__ import annotations

import random
import sys
import sysconfig
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmith.data.python_functions import (
    FunctionCorpus,
    FunctionPair,
    Limits,
    collect_functions,
    installed_roots,
    package_group,
)
from cosmith.data.python_source import functions_of
from cosmith.data.python_summaries import is_boilerplate, is_english, repeats_name, summary
from cosmith.errors import InputError

SHAPES = '''
import functools


@functools.lru_cache(maxsize=None)
@other.mark("a", b=1)
def resize(image, width, height):
    """Scale a picture to new measures. Keeps the ratio.

    Args:
        image: What to scale.
    """
    # The smaller factor wins.
    factor = min(width / image.width, height / image.height)

    return image.scaled(factor)


class Queue:
    """Class docstrings are no queries."""

    async def take(self, count):
        """Wait until enough items
        have arrived, then hand them out."""
        while len(self.items) < count:
            await self.arrival.wait()
        return [self.items.popleft() for _ in range(count)]

    def outer(self, names):
        """Sort the given names by their length and print each."""
        class Inner:
            """An inner docstring."""

        def key(name):
            """Judge a name by how many characters it has, nothing else."""; return len(name) + 1 + 1 + 1 + 1

        for name in sorted(names, key=key): print(name, Inner)


def one_line(a, b): """Put a before b unless it is larger."""; return [a, b] if a <= b else [b, a] if b else [a, a]


def größe(wort): """Zähle 'ä' ünd more wörds in a given text here."""; x = wort.count("ä") + 1 + 1 + 1; return x * x


def undocumented(x):
    return x + 1


if True:
    try:
        pass
    except ImportError:
        def fallback(values):
            """Add up all values by hand where no fast sum is there."""
            total = 0
            for value in values:
                total += value * 1 + 0 - 0
            return total
'''

UMLAUT_BODY = 'table = {"a": "ä"}\n    return first.translate(table, second, third)'


def function(name: str, sentence: str, body: str | None = None) -> str:
    body = (
        body or f"value = compute_{name}(first, second, third)\n    return value if value > 0 else -value + {len(name)}"
    )
    return f'def {name}(first, second, third):\n    """{sentence}"""\n    {body}\n\n\n'


def tree(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def by_name(corpus: FunctionCorpus) -> dict[str, FunctionPair]:
    return {pair.qualname: pair for pair in corpus.pairs}


def test_every_shape_of_function_is_cut_out_of_its_source(tmp_path: Path) -> None:
    corpus = collect_functions([tree(tmp_path, {"shapes/__init__.py": SHAPES})])
    pairs = by_name(corpus)
    assert list(pairs) == ["resize", "Queue.take", "Queue.outer", "one_line", "fallback"]
    assert {pair.package for pair in corpus.pairs} == {"shapes"}
    assert pairs["resize"].module == "shapes"
    assert pairs["resize"].query == "Scale a picture to new measures"
    assert pairs["resize"].document == (
        "@functools.lru_cache(maxsize=None)\n"
        '@other.mark("a", b=1)\n'
        "def resize(image, width, height):\n"
        "    # The smaller factor wins.\n"
        "    factor = min(width / image.width, height / image.height)\n"
        "\n"
        "    return image.scaled(factor)"
    )
    assert pairs["Queue.take"].query == "Wait until enough items have arrived, then hand them out"
    assert pairs["Queue.take"].document.startswith("async def take(self, count):\n    while len(self.items)")
    assert pairs["one_line"].document == ("def one_line(a, b): return [a, b] if a <= b else [b, a] if b else [a, a]")
    assert pairs["fallback"].document.startswith("def fallback(values):\n    total = 0\n")
    # What stands inside a function is in that function's document, and so no pair of its own; without docstrings,
    # or they would be the answer to a query in plain words.
    outer = pairs["Queue.outer"].document
    assert "def key(name):" in outer
    assert "docstring" not in outer
    assert "Judge" not in outer
    assert "return len(name)" in outer
    assert corpus.dropped == {"inside another function": 1, "not in English": 1}
    assert corpus.found == 7


def test_what_cannot_serve_is_counted_by_reason(tmp_path: Path) -> None:
    twice = (
        "value = one + two + three\n    for x in range(value):\n        print(x, value, one, two, three)\n    return 2"
    )
    files: dict[str, str | bytes] = {
        "alpha/a.py": function("good", "Do something useful with three numbers")
        + function("short", "Do it")
        + function("nothing", "Do something else that is never written", "pass")
        + function("abstract", "Tell what a subclass should do here", "raise NotImplementedError('x' + first)")
        + function("small", "Add the second number to the first", "return first + second")
        + function("base", "See base class for what it does")
        + function("line_width", "Return the width of the line")
        + function("twin", "Do   something useful, with three numbers!")
        + function("foreign", "Считает сумму всех чисел подряд")
        + function("fields", ":param first: the first of all numbers")
        + "@typing.overload\n" + function("several", "Give one of many possible answers to it")
        + "@deprecated('x')\n" + function("old", "Answer in the way of former times")
        + function("body_one", "Count down the numbers from the highest", twice),
        "beta/b.py": function("body_two", "Count the numbers again in another way", twice.replace(" print", "print")),
        "beta/long.py": function("huge", "Hold a table of very many numbers", f"return [{'1, ' * 9_000}]"),
    }  # fmt: skip
    corpus = collect_functions([tree(tmp_path, files)])
    assert list(by_name(corpus)) == ["good", "body_one"]
    assert corpus.dropped == {
        "overload or deprecated": 2,
        "no body": 2,
        "body too short": 1,
        "body too long": 1,
        "no sentence": 1,
        "query too short": 1,
        "not in English": 1,
        "query says nothing of its own": 1,
        "query repeats the name": 1,
        "duplicate query": 1,
        "duplicate body": 1,
    }
    assert corpus.found == len(corpus.pairs) + sum(corpus.dropped.values())


def test_files_that_are_not_python_are_passed_over(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "good/a.py": function("fine", "Do something useful with three numbers"),
        "good/latin.py": b"# -*- coding: latin-1 -*-\n"
        + function("umlaut", "Put a mark above each of the vowels", UMLAUT_BODY).encode("latin-1"),
        "good/not_utf8.py": function("broken", "Do something with three broken numbers").encode() + b'x = "\xff\xfe"\n',
        "good/syntax.py": function("syntax", "Do something with three wrong numbers") + "def :\n",
        "good/nul.py": function("nul", "Do something with three empty numbers") + "\0",
        "good/unknown.py": "# coding: klingon\n" + function("cookie", "Do something with three secret numbers"),
        "good/tests/test_a.py": function("tested", "Do something with three tested numbers"),
        "good/test_b.py": function("tested_too", "Do something with three more tested numbers"),
        "good/_vendor/six.py": function("vendored", "Do something with three foreign numbers"),
        "good/big.py": function("big", "Do something with three big numbers") + "# " + "x" * 1_000_000,
        "not-a-package/a.py": function("dashed", "Do something with three dashed numbers"),
        "cosmith/a.py": function("own", "Do something with three own numbers"),
        "good/escapes.py": 'X = "\\d"\n' + function("escape", "Do something with three escaped numbers"),
        "single.py": function("single", "Do something with three single numbers"),
        "_good/private.py": function("private_half", "Do something with three hidden numbers"),
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # an invalid escape in somebody's file must not warn our user
        corpus = collect_functions([tree(tmp_path, files)])
    assert set(by_name(corpus)) == {"fine", "umlaut", "escape", "single", "private_half"}
    assert "ä" in by_name(corpus)["umlaut"].document
    assert corpus.unreadable == 4
    assert by_name(corpus)["private_half"].package == "good"
    assert by_name(corpus)["single"].package == "single"


def test_carriage_returns_and_form_feeds_shift_nothing(tmp_path: Path) -> None:
    source = "x = 'a\\x0cb'\n\x0c\n" + function("paged", "Turn over one leaf after the other")
    corpus = collect_functions([tree(tmp_path, {"p/a.py": source.replace("\n", "\r\n")})])
    document = corpus.pairs[0].document
    assert document.startswith("def paged(first, second, third):\n    value = compute_paged")
    assert "\r" not in document


def test_the_order_of_files_and_the_number_of_processes_change_nothing(tmp_path: Path) -> None:
    names = [f"{package}/{module}.py" for package in ("b", "a", "c") for module in ("z", "y", "x")]
    contents = {
        name: function(f"f{n}", f"Answer question number {n % 5} of all") for n, name in enumerate(sorted(names))
    }
    orders = [list(contents), list(reversed(contents)), random.Random(1).sample(sorted(contents), len(contents))]
    corpora = [
        collect_functions([tree(tmp_path / str(n), {name: contents[name] for name in order})], processes=1 + n % 2)
        for n, order in enumerate(orders)
    ]
    assert corpora[0] == corpora[1] == corpora[2]
    assert [pair.module for pair in corpora[0].pairs] == ["a.x", "a.y", "a.z", "b.x", "b.y"]


def test_no_package_has_more_than_its_limit_and_the_choice_is_stable(tmp_path: Path) -> None:
    words = ["apple", "pear", "plum", "fig", "date", "lime", "kiwi", "nut"]
    content = "".join(function(word, f"Pick the ripest {word} from its tree") for word in words)
    limits = Limits(max_package_pairs=3)
    corpus = collect_functions([tree(tmp_path / "one", {"p/a.py": content})], limits=limits)
    assert corpus.dropped == {"over the package's limit": 5}
    kept = [pair.qualname for pair in corpus.pairs]
    assert kept == sorted(kept, key=words.index)
    without = "".join(function(word, f"Pick the ripest {word} from its tree") for word in words if word != kept[0])
    again = collect_functions([tree(tmp_path / "two", {"p/a.py": without})], limits=limits)
    assert {pair.qualname for pair in again.pairs} >= set(kept[1:])


def test_roots_that_hold_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        collect_functions([tmp_path / "absent"])
    with pytest.raises(InputError, match="no usable function in 0 Python files"):
        collect_functions([tmp_path])


def test_the_standard_library_is_read_by_module() -> None:
    json = Path(sysconfig.get_paths()["stdlib"]) / "json" / "decoder.py"
    described = {item.qualname: item for item in functions_of(json) or []}
    assert summary(described["JSONDecoder.raw_decode"].docstring) == (
        "Decode a JSON document from s (a str beginning with a JSON document) and return a 2-tuple of the Python "
        "representation and the index in s where the document ended"
    )
    assert installed_roots()[0] == Path(sysconfig.get_paths()["stdlib"]).resolve()
    assert len(set(installed_roots())) == len(installed_roots())


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Return the sum.  It is fast.", "Return the sum"),
        ("Split text\ninto lines\n\nMore.", "Split text into lines"),
        ("Find a path, e.g. the shortest. Slow.", "Find a path, e.g. the shortest"),
        ("Wrap :class:`~foo.bar.Baz` and :func:`run <a.run>` in ``x``.", "Wrap Baz and run in x"),
        ("See `the guide <https://a.b/c>`_ or [docs](https://a.b) at https://a.b now.", "See the guide or docs at now"),
        ("Multiply **two** *dense* matrices [1]_.", "Multiply two dense matrices"),
        ("add(x1, x2, /, out=None)\n\nAdd arguments element-wise.", "Add arguments element-wise"),
        ("f(x) -> int\n\nCount the elements of x.", "Count the elements of x"),
        ("Load a model. \n:param x: a name", "Load a model"),
        ("Load a model\n:param x: a name", "Load a model"),
        ("Load a model\nArgs:\n    x: a name", "Load a model"),
        ("Choose among\n - one\n - two", "Choose among"),
        ("The kind is one of\n - one\n - two", ""),
        ("Parameters\n----------\nx : int", ""),
        ("Args:\n    x: a name", ""),
        ("input_ids (`torch.Tensor` of shape `(a, b)`, *optional*): The ids of it.", ""),
        ("dtext = <printable ascii> / obs", ""),
        (">>> f(1)\n2", ""),
        ("Check a title\n-------------\n\nText.", "Check a title"),
        ("Use x**2 and *args.", "Use x**2 and *args"),
        ("Is it? Yes.", "Is it?"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_first_sentence_is_plain_words(docstring: str, expected: str) -> None:
    assert summary(docstring) == expected


@given(st.text(max_size=300))
def test_a_summary_is_one_line_without_markup(text: str) -> None:
    found = summary(text)
    assert found == " ".join(found.split())
    assert "`" not in found
    assert is_english(found) in (True, False)


def test_words_that_say_nothing() -> None:
    assert repeats_name("Return the width of the line", "Font.get_line_width")
    assert repeats_name("Initialize the new page object", "Page.__init__")
    assert not repeats_name("Return the width of the line in points", "Font.get_line_width")
    assert is_boilerplate("See base class")
    assert is_boilerplate("Return self")
    assert not is_boilerplate("Return the first match")
    assert not is_english("Считает сумму")
    assert not is_english("a\x00b with words around it")
    assert is_english("Whether the naïve approach is good enough for it")


def test_private_halves_belong_to_their_package() -> None:
    assert package_group("_pytest") == "pytest"
    assert package_group("_pydecimal") == "decimal"
    assert package_group("_strptime") == "strptime"
    assert package_group("pyarrow") == "pyarrow"
    assert package_group("_") == "_"
    assert "decimal" in sys.stdlib_module_names
