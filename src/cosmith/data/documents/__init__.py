"""Documents as people have them, in folders of files of many formats."""

from cosmith.data.documents.document import Document, Link, Section, load_documents, with_text, write_documents
from cosmith.data.documents.folder import DocumentFiles, read_documents
from cosmith.data.documents.formats import FORMATS
from cosmith.data.documents.tables import open_documents

__all__ = [
    "FORMATS",
    "Document",
    "DocumentFiles",
    "Link",
    "Section",
    "load_documents",
    "open_documents",
    "read_documents",
    "with_text",
    "write_documents",
]
