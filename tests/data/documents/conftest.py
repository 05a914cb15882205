"""The contract that every document keeps, whatever it was written in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cosmith.data.documents import Document


@pytest.fixture(scope="session")
def assert_spans_agree() -> Callable[[Document], None]:
    return _assert_spans_agree


def _assert_spans_agree(document: Document) -> None:
    """The contract of :class:`Document`."""
    text = document.text
    assert text.strip("\n") == text.rstrip() == text
    for link in document.links:
        assert text[link.start : link.stop] == link.text
        assert link.text.strip() == link.text
        assert link.text
        assert link.target
    reached = 0
    for number, section in enumerate(document.sections):
        assert reached <= section.start <= section.stop <= len(text)
        between = text[reached : section.start].strip()
        if document.format in ("markdown", "html", "rst"):
            assert between == section.heading  # a heading stands as a paragraph of its own, right before its body
        body = text[section.start : section.stop]
        assert body == body.strip()
        assert (section.level == 0) == (section.heading == "")
        assert section.level > 0 or number == 0
        reached = section.stop
    if document.sections:
        assert not text[reached:].strip()
