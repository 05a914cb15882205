"""Documents in parts that a model can read whole."""

from cosmith.data.chunking.chunk import Chunk, write_chunks
from cosmith.data.chunking.cutting import Chunking, chunk_documents, chunk_texts
from cosmith.data.chunking.measure import TextMeasure, WordMeasure
from cosmith.data.sentences import sentence_spans

__all__ = [
    "Chunk",
    "Chunking",
    "TextMeasure",
    "WordMeasure",
    "chunk_documents",
    "chunk_texts",
    "sentence_spans",
    "write_chunks",
]
