"""Documents as people have them, in folders of files of many formats."""

from cosmith.data.documents.document import (
    Document,
    Link,
    Section,
    document_values,
    load_documents,
    with_text,
    write_documents,
)
from cosmith.data.documents.folder import DocumentFiles, is_document_folder, read_documents
from cosmith.data.documents.formats import FORMATS
from cosmith.data.documents.tables import open_documents

__all__ = [
    "FORMATS",
    "Document",
    "DocumentFiles",
    "Link",
    "Section",
    "document_values",
    "is_document_folder",
    "load_documents",
    "open_documents",
    "read_documents",
    "with_text",
    "write_documents",
]
