"""reStructuredText, with what Sphinx adds to it as far as it can be understood without Sphinx."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator

from docutils import nodes
from docutils.core import publish_doctree

from cosmith.data.documents.composition import Composition, Inline
from cosmith.data.documents.decoding import decoded
from cosmith.data.documents.document import Document

# Security first: a file may neither bring in others (`include`, `csv-table` with a file) nor pass anything through.
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,  # no settings from the reader's home
    "report_level": 5,
    "halt_level": 5,
    "doctitle_xform": False,
    "docinfo_xform": False,
    "syntax_highlight": "none",
    "smart_quotes": False,
    "input_encoding": "unicode",
}
_LEFT_OUT = (
    nodes.comment, nodes.target, nodes.substitution_definition, nodes.image, nodes.raw, nodes.meta, nodes.pending,
    nodes.label, nodes.footnote_reference, nodes.citation_reference, nodes.colspec, nodes.decoration, nodes.docinfo,
    nodes.math,
)  # fmt: skip
_ROLE = re.compile(r":[\w:+.-]+:`(.+)`", re.DOTALL)
_NAMED = re.compile(r"(.*\S)\s*<([^<>]+)>", re.DOTALL)
_DIRECTIVE = re.compile(r"\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w:.+-]+)[ \t]*::[ \t]*(.*)\Z", re.DOTALL)
_OPTIONS = re.compile(r"(?:[ \t]*:[\w-]+:[^\n]*(?:\n|\Z))+")
# Directives that name files or modules, or say something to Sphinx rather than to readers.
_SILENT_WORDS = (
    "automodule autoclass autofunction autoexception automethod autosummary autodata autoattribute currentmodule"
    " module py:module py:currentmodule toctree index literalinclude only tabularcolumns highlight graphviz"
    " include image figure sectionauthor codeauthor contents raw csv-table cssclass rst-class plot ifconfig role"
    " default-role"
)
_SILENT = frozenset(_SILENT_WORDS.split())


def read_restructured_text(data: bytes, name: str) -> Document:
    """A reStructuredText file. The title is its first heading of the topmost level.

    Nothing is included from other files. Roles that docutils does not know leave their text, and directives that it
    does not know their arguments and content, except those that only say something to Sphinx.

    Raises:
        UnreadableError: The bytes are not UTF-8.
    """
    composition = Composition()
    _Reading(composition).read(decoded(data), 0)
    return composition.document(name, "rst")


class _Reading:
    """Adds what stands in a tree of docutils to a composition."""

    def __init__(self, composition: Composition) -> None:
        self.composition = composition
        self.inline = Inline()

    def read(self, text: str, depth: int) -> None:
        tree = publish_doctree(text, settings_overrides=_SETTINGS | {"warning_stream": io.StringIO()})
        children = list(tree.children)
        if children and isinstance(children[0], nodes.field_list) and not depth:
            del children[0]  # what Sphinx is told of the page
        for child in children:
            self.block(child, depth)

    def block(self, node: nodes.Node, depth: int) -> None:
        """Add a block that stands under so many headings."""
        if isinstance(node, _LEFT_OUT) or (isinstance(node, nodes.topic) and "contents" in node["classes"]):
            return
        if isinstance(node, nodes.system_message):
            self.unknown(node, depth)
        elif isinstance(node, nodes.section):
            for child in node.children:
                self.block(child, depth + 1)
        elif isinstance(node, nodes.literal_block | nodes.doctest_block | nodes.math_block):
            self.composition.literal(node.astext())
        elif isinstance(node, nodes.title) and isinstance(node.parent, nodes.section):
            self.add(node)
            self.composition.heading(self.inline, depth)
        elif isinstance(node, nodes.row):
            for number, entry in enumerate(node.children):
                if number and self.inline:
                    self.inline.add(" | ")
                for paragraph in _texts(entry):
                    self.add(paragraph)
                    self.inline.add(" ")
            self.composition.paragraph(self.inline)
        elif isinstance(node, nodes.line):
            self.add(node)
            self.inline.break_line()
        elif isinstance(node, nodes.TextElement):
            self.add(node)
            self.composition.paragraph(self.inline)
        else:
            for child in node.children:
                self.block(child, depth)
            if isinstance(node, nodes.line_block) and not isinstance(node.parent, nodes.line_block):
                self.composition.paragraph(self.inline)

    def add(self, node: nodes.Node) -> None:
        """Add what stands within a block."""
        for child in node.children:
            if isinstance(child, nodes.Text):
                self.inline.add(str(child))
            elif isinstance(child, nodes.problematic):
                self.role(child.astext())
            elif isinstance(child, nodes.reference) and "refuri" in child:
                self.inline.open_link(child["refuri"])
                self.add(child)
                self.inline.close_link()
            elif isinstance(child, nodes.math):
                self.inline.add(child.astext())
            elif not isinstance(child, _LEFT_OUT):
                self.add(child)

    def role(self, text: str) -> None:
        """Add what docutils could not make sense of: most often a role of Sphinx."""
        found = _ROLE.fullmatch(text)
        if found is None:
            self.inline.add(text)
            return
        named = _NAMED.fullmatch(found[1])
        if named is None:
            self.inline.add(re.sub(r"\A~(?:.*\.)?|\A!", "", found[1]))
        else:
            self.inline.open_link(named[2])
            self.inline.add(named[1])
            self.inline.close_link()

    def unknown(self, node: nodes.system_message, depth: int) -> None:
        """Add what stands in a directive that docutils does not know or may not carry out."""
        for source in (child.astext() for child in node.children if isinstance(child, nodes.literal_block)):
            found = _DIRECTIVE.match(source)
            if found is None or found[1].lower() in _SILENT:
                continue
            argument, _, content = found[2].partition("\n")
            self.inline.add(argument)
            self.composition.paragraph(self.inline)
            content = textwrap.dedent(content)
            content = content[options.end() :] if (options := _OPTIONS.match(content)) else content
            if content.strip():
                _Reading(self.composition).read(content, max(depth, 1))


def _texts(node: nodes.Node) -> Iterator[nodes.Node]:
    """The innermost blocks of text within a cell of a table."""
    if isinstance(node, nodes.TextElement):
        yield node
    elif not isinstance(node, _LEFT_OUT):
        for child in node.children:
            yield from _texts(child)
