"""A folder as it lies on people's disks."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cosmith.data import read_texts
from cosmith.data.documents import read_documents, write_documents
from cosmith.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "docs"
    for name, content in {
        "b.md": b"# B\n\nThe second",
        "a/z.txt": b"The first",
        "a/code.go": b"package main",
        "c.html": b"<p>The third</p>",
        ".hidden.md": b"hidden",
        ".git/config.txt": b"hidden",
        "binary.txt": b"\x00\x01\x02",
        "empty.md": b" \n",
        "picture.png": b"\x89PNG",
        "LICENSE": b"words",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def ids(path: Path, **options: object) -> list[str]:
    return [document.id for document in read_documents(path, **options)]  # type: ignore[arg-type]


def test_documents_come_in_the_order_of_their_paths_and_the_rest_is_counted(folder: Path) -> None:
    found = read_documents(folder)
    assert [document.id for document in found] == ["a/code.go", "a/z.txt", "b.md", "c.html"]
    assert found.formats == {"go": 1, "text": 1, "markdown": 1, "html": 1}
    assert found.passed_over == {"hidden": 2, "of another format": 2, "binary": 1, "empty": 1}
    assert not found.rejected
    assert found.describe().startswith("4 documents (1 go, 1 text, 1 markdown, 1 html); passed over 6 files (2 hidden,")
    assert len(list(found)) == 4  # anew, and counted anew
    assert found.formats.total() == 4


def test_patterns_and_formats_choose(folder: Path) -> None:
    assert ids(folder, patterns="a/*") == ["a/code.go", "a/z.txt"]
    assert ids(folder, patterns=["**/*.md", "*.html"]) == ["b.md", "c.html"]
    assert ids(folder, formats=["text", "markdown"]) == ["a/z.txt", "b.md"]
    found = read_documents(folder, formats="html")
    assert len(list(found)) == 1
    assert found.passed_over["markdown, not asked for"] == 2


def test_a_single_file_is_a_document(folder: Path) -> None:
    assert ids(folder / "a" / "z.txt") == ["z.txt"]


def test_large_files_are_put_aside(folder: Path) -> None:
    found = read_documents(folder, largest=11)
    assert len(list(found)) == 1
    assert [each.reason for each in found.rejected] == [
        "is larger (12 bytes) than the limit of 11 bytes",
        "is larger (15 bytes) than the limit of 11 bytes",
        "is larger (16 bytes) than the limit of 11 bytes",
    ]


def test_links_that_leave_the_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.md").write_text("secret")
    (folder / "out.md").symlink_to(tmp_path / "outside" / "secret.md")
    (folder / "folder").symlink_to(tmp_path / "outside")
    (folder / "round").symlink_to(folder)
    (folder / "nowhere.md").symlink_to(folder / "no.md")
    (folder / "within.md").symlink_to(folder / "b.md")
    os.mkfifo(folder / "pipe.md")
    found = read_documents(folder)
    assert [document.id for document in found] == ["a/code.go", "a/z.txt", "b.md", "c.html", "within.md"]
    assert found.passed_over["a link out of the folder"] == 1
    assert found.passed_over["a link to a folder"] == 2
    assert found.passed_over["no file"] == 2


def test_a_folder_without_documents_is_an_error_that_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"holds no document: passed over 1 file \(1 of another format\)"):
        list(read_documents(tmp_path))
    (tmp_path / "a.txt").write_bytes("ä".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.txt: is not UTF-8"):
        list(read_documents(tmp_path))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "no/such"}, "no such file or folder"),
        ({"formats": ["markdow"]}, "Did you mean 'markdown'?"),
        ({"largest": 0}, "is 0"),
    ],
)
def test_wrong_arguments_are_refused_at_once(tmp_path: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_documents(**{"path": tmp_path, **options})  # type: ignore[arg-type]
    assert said in str(refused.value)


def test_a_library_that_is_missing_is_named_with_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cosmith.data.documents.html", raising=False)
    monkeypatch.setitem(sys.modules, "selectolax.lexbor", None)
    with pytest.raises(InputError, match=r'html cannot be read without .*pip install "cosmith\[documents\]"'):
        list(read_documents(folder, formats="html"))
    assert ids(folder, formats=["text", "go"]) == ["a/code.go", "a/z.txt"]  # which need none


def test_written_documents_are_texts_with_titles(folder: Path, tmp_path: Path) -> None:
    write_documents(tmp_path / "documents.jsonl", read_documents(folder))
    read = read_texts(tmp_path / "documents.jsonl")
    assert (read.ids[2], read.texts[2], read.titles[2]) == ("b.md", "B The second", "B")
