"""Each format as people write it: titles, sections, links, and what is left out."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmith.data.documents import Document, load_documents, read_documents, write_documents

MARKDOWN = """\
---
title: "The handbook"
tags: [a, b]
---

Before *all* else: read [the **rules**](../rules.md#one), not [this](#below).

# Setting up

<p align="center"><img src="logo.png"><a href="https://example.org">home</a></p>

1. First item
2. Second item with `code`

## On Linux

```sh
apt install it

reboot
```

| name | value |
|------|-------|
| a    | 1     |

## On Windows
"""

HTML = """\
<!doctype html><html><head><title>Leave | Example Corp</title><style>p {}</style></head>
<body><header><h1>Leave</h1></header><nav><a href="/">Home</a></nav>
<main><p>You have <b>thirty</b>&nbsp;days. See <a href="rules.html">the
rules</a>.</p><script>alert(1)</script>
<h2>Sick leave<a class="headerlink" href="#sick">¶</a></h2><p hidden>secret</p><div>Call <br> us.<p>Bring a note.</div>
<pre>
a
  b
</pre>
<table><tr><th>kind<th>days</tr><tr><td>sick<td>10</tr></table>
<aside>Advertisement</aside></main><footer>Imprint</footer></body></html>
"""

RST = """\
:orphan:

============
The handbook
============

Intro with a `link <https://example.org/a>`_ and :py:func:`pkg.read` and :doc:`the guide <guide>`.

.. note:: Mind this.

Setting up
==========

.. function:: read(path)

   Reads :class:`~pkg.File`.

.. code-block:: python

   x = 1

Deeper
------

=====  =====
name   value
=====  =====
a      1
=====  =====

.. include:: /etc/passwd
.. raw:: html

   <b>raw</b>

.. toctree::
   one
   two
"""

PYTHON = '''\
"""What the module is for."""
import os

# How far.
LIMIT = 3


# Reads it.
@cache
def read(path):
    """Read a file."""

    def inner():
        return 1

    return inner


class File:
    """A file."""

    def close(self):
        return None
'''


One = Callable[[str, str | bytes], Document]


@pytest.fixture
def one(tmp_path: Path, assert_spans_agree: Callable[[Document], None]) -> One:
    """Writes a file and reads it."""

    def read(name: str, content: str | bytes) -> Document:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        found = read_documents(tmp_path / name)
        documents = list(found)
        assert len(documents) == 1, found.rejected
        assert_spans_agree(documents[0])
        return documents[0]

    return read


def outline(document: Document) -> list[tuple[str, int, str]]:
    return [(each.heading, each.level, document.text[each.start : each.stop]) for each in document.sections]


def test_markdown(one: One) -> None:
    document = one("a.md", MARKDOWN)
    assert (document.id, document.title, document.format) == ("a.md", "The handbook", "markdown")
    assert outline(document) == [
        ("", 0, "Before all else: read the rules, not this."),
        ("Setting up", 1, "home\n\nFirst item\n\nSecond item with code"),
        ("On Linux", 2, "apt install it\n\nreboot\n\nname | value\n\na | 1"),
        ("On Windows", 2, ""),
    ]
    assert [(link.text, link.target) for link in document.links] == [
        ("the rules", "../rules.md#one"),
        ("home", "https://example.org"),
    ]


@pytest.mark.parametrize(
    ("front", "title", "text"),
    [
        ("", "", "Text"),
        ("# Heading\n\n", "Heading", "Text"),
        ("---\ntitle: 2024\n---\n", "2024", "Text"),
        ("---\n[broken: yaml\n---\n", "", "Text"),
        ("---\n---\n", "", "Text"),
        ("---\ntext between rulers\n\n---\n\n", "", "text between rulers\n\nText"),
    ],
)
def test_the_title_of_markdown_is_that_of_its_front_matter_or_its_first_heading(
    one: One, front: str, title: str, text: str
) -> None:
    document = one("a.md", front + "Text\n")
    assert (document.title, document.text) == (title, text)


def test_html(one: One) -> None:
    document = one("a.html", HTML)
    assert (document.title, document.format) == ("Leave | Example Corp", "html")
    assert outline(document) == [
        ("", 0, "You have thirty days. See the rules."),
        ("Sick leave", 2, "Call\nus.\n\nBring a note.\n\na\n  b\n\nkind | days\n\nsick | 10"),
    ]
    assert [(link.text, link.target) for link in document.links] == [("the rules", "rules.html")]


def test_html_without_a_title_takes_its_first_heading_and_says_its_own_encoding(one: One) -> None:
    page = '<meta charset="iso-8859-1"><h1>Grüße</h1><p>Süß</p>'.encode("iso-8859-1")
    document = one("a.htm", page)
    assert (document.title, document.text) == ("Grüße", "Süß")


def test_html_that_is_nested_deeper_than_python_goes(one: One) -> None:
    assert one("a.html", "<div>" * 5000 + "deep").text == "deep"


def test_restructured_text(one: One) -> None:
    document = one("a.rst", RST)
    assert (document.title, document.format) == ("The handbook", "rst")
    assert outline(document) == [
        ("", 0, "Intro with a link and pkg.read and the guide.\n\nMind this."),
        ("Setting up", 2, "read(path)\n\nReads File.\n\nx = 1"),
        ("Deeper", 3, "name | value\n\na | 1"),
    ]
    assert [(link.text, link.target) for link in document.links] == [
        ("link", "https://example.org/a"),
        ("the guide", "guide"),
    ]


def test_restructured_text_brings_in_no_other_file_and_says_nothing(
    one: One, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "secret.txt").write_text("the secret")
    directives = (
        f".. include:: {tmp_path}/secret.txt\n",
        f".. literalinclude:: {tmp_path}/secret.txt\n",
        f".. csv-table::\n   :file: {tmp_path}/secret.txt\n",
        f".. raw:: html\n   :file: {tmp_path}/secret.txt\n",
    )
    document = one("a.rst", "Text\n\n" + "\n".join(directives) + "\nBroken `link\n\nTitle\n==\n")
    assert "secret" not in document.text
    assert "Text" in document.text
    assert capfd.readouterr() == ("", "")


def test_python(one: One) -> None:
    document = one("a.py", PYTHON)
    assert document.text == PYTHON.rstrip()
    assert [(heading, level, body.splitlines()[0]) for heading, level, body in outline(document)] == [
        ("", 0, '"""What the module is for."""'),
        ("read", 1, "# Reads it."),
        ("File", 1, "class File:"),
        ("File.close", 2, "def close(self):"),
    ]
    assert "def inner" in outline(document)[1][2]


def test_code_and_text_stay_as_they_are(one: One) -> None:
    code = "int main() {\n    return 0;\n}"
    assert one("a.c", f"\n\n{code}\n\n") == Document("a.c", code, format="c")
    assert one("b.txt", "  one\r\n\r\ntwo\r\n") == Document("b.txt", "  one\n\ntwo")
    old = one("old.py", "print 'two'\n")  # no Python of this version
    assert (old.text, old.sections) == ("print 'two'", ())


def pdf(*pages: str, title: str = "", password: str | None = None) -> bytes:
    """A PDF with a line of text a line."""
    from pypdf import PdfWriter
    from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

    writer = PdfWriter()
    font = DictionaryObject(
        {NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
         NameObject("/BaseFont"): NameObject("/Helvetica")}
    )  # fmt: skip
    for text in pages:
        page = writer.add_blank_page(595, 842)
        resources = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})})
        page[NameObject("/Resources")] = resources
        stream = DecodedStreamObject()
        lines = "".join(f"({line}) Tj 0 -14 Td\n" for line in text.split("\n")) if text else ""
        stream.set_data(f"BT /F1 12 Tf 50 800 Td\n{lines}ET".encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(stream)
    if title:
        writer.add_metadata({"/Title": title})
    if password is not None:
        writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_pdf(one: One) -> None:
    document = one("a.pdf", pdf("A hand-\nbook of\nrules", "", "Second page", title="The handbook"))
    assert document.text == "A handbook of\nrules\f\n\nSecond page"
    assert (document.title, document.format, document.sections) == ("The handbook", "pdf", ())
    assert one("b.pdf", pdf("text", title="Microsoft Word - draft.doc")).title == ""
    assert one("c.pdf", pdf("open to all", password="")).text == "open to all"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", pdf("text", password="secret"), "is encrypted"),
        ("a.pdf", pdf(""), "holds no text; it may be a scan"),
        ("a.pdf", b"%PDF-1.4 and nothing else", "is broken (Pdf"),
        ("a.txt", "Grüße".encode("latin-1"), "is not UTF-8"),
        ("a.py", "x = 'Grüße'".encode("latin-1"), "is not in the encoding that it declares"),
        ("a.html", b'<meta charset="no-such-code"><p>x', "says that it is in an unknown encoding (no-such-code)"),
        ("a.html", b"<nav>Home</nav>", "holds no text"),
        ("a.md", b"# Only a title", "holds no text but its title"),
        ("a.txt", b"\xff\xfeabc", "is not UTF-16"),
    ],
)
def test_what_cannot_be_read_is_put_aside_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "z.md").write_text("the good one")
    found = read_documents(tmp_path)
    assert [document.text for document in found] == ["the good one"]
    assert [(each.line, each.record, each.path) for each in found.rejected] == [(1, "", str(tmp_path / name))]
    assert found.rejected[0].reason.startswith(reason)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_say_the_encoding(one: One, encoding: str) -> None:
    assert one("a.txt", "Grüße 日本".encode(encoding)).text == "Grüße 日本"


@pytest.mark.parametrize("suffix", ["md", "html", "rst", "py", "pdf", "txt"])
@settings(max_examples=20)
@given(data=st.data())
def test_no_file_stops_the_reading_and_all_spans_agree(
    tmp_path_factory: pytest.TempPathFactory,
    assert_spans_agree: Callable[[Document], None],
    suffix: str,
    data: Any,
) -> None:
    """Files made of pieces of the formats, in any order, and of bytes by chance."""
    whole = {"md": MARKDOWN, "html": HTML, "rst": RST, "py": PYTHON, "pdf": "", "txt": RST}[suffix]
    lines = st.sampled_from(whole.splitlines(keepends=True) or ["%PDF-1.7\n", "1 0 obj <<>> endobj\n", "trailer\n"])
    content = data.draw(st.lists(lines | st.text(max_size=10), max_size=25).map("".join).map(str.encode) | st.binary())
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / f"a.{suffix}").write_bytes(content)
    (folder / "z.txt").write_text("the good one")
    found = read_documents(folder)
    documents = list(found)
    assert documents[-1].text == "the good one"
    assert len(documents) + len(found.rejected) + found.passed_over.total() == 2
    for document in documents:
        assert_spans_agree(document)
        document.text.encode()


def test_documents_survive_their_file(tmp_path: Path) -> None:
    for name, content in (("a.md", MARKDOWN), ("b.html", HTML), ("c.py", PYTHON)):
        (tmp_path / name).write_text(content)
    documents = list(read_documents(tmp_path))
    write_documents(tmp_path / "documents.jsonl", documents)
    assert list(load_documents(tmp_path / "documents.jsonl")) == documents
