"""The settings of the stages that read documents and cut them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cosmith.recipes.pretraining_schemas import Texts
from cosmith.recipes.references import InputPath, Kind, ModelName
from cosmith.recipes.stage_settings import Count, OneOrMore, StageSettings


class DocumentsStage(StageSettings):
    """The documents of a folder: Markdown, HTML, text, reStructuredText, PDF, source code; titles, sections, links."""

    kind: Literal["documents"] = "documents"
    path: InputPath = Field(description="The folder, or a single file.")
    patterns: Annotated[list[str], OneOrMore] | None = Field(
        None,
        description="Which files, by their path from the folder, e.g. `docs/*.md`; `*` stands for any characters, also "
        "for `/`. Null: all.",
    )
    formats: Annotated[list[str], OneOrMore] | None = Field(
        None,
        description="Which formats: `markdown`, `html`, `text`, `rst`, `pdf`, `python`, or the name of another "
        "programming language. Null: all.",
    )
    largest: Count = Field(50_000_000, description="Bytes of the largest file that is read.")

    def outputs(self) -> dict[str, Kind]:
        return {"": "texts"}


class BestChunkSettings(StageSettings):
    """What every stage may say that searches documents."""

    chunk_tokens: Count | None = Field(
        None,
        description="Cut documents into chunks of whole sentences, of so many tokens of the model (for BM25: words) at "
        "most, and score each document by its best one; rerankers read that one. Null: documents are read whole.",
    )
    chunk_overlap: Annotated[int, Field(ge=0)] = Field(
        0, description="Tokens at the end of such a chunk that the next one repeats, at most."
    )

    @model_validator(mode="after")
    def _chunks_that_overlap(self) -> Self:
        if self.chunk_overlap and self.chunk_tokens is None:
            raise ValueError("chunk_overlap goes with chunk_tokens, which is not said")
        if self.chunk_tokens is not None and 2 * self.chunk_overlap > self.chunk_tokens:
            raise ValueError(f"chunk_overlap ({self.chunk_overlap}) is over half of chunk_tokens ({self.chunk_tokens})")
        return self


class ChunksStage(StageSettings):
    """Texts cut into parts that a model reads whole."""

    kind: Literal["chunks"] = "chunks"
    texts: Texts = Field(description="What is cut: documents, texts, training rows, or a collection's documents.")
    how: Literal["sections", "sentences", "tokens"] = Field(
        "sections",
        description="`sections`: along the headings, which every chunk keeps before it; `sentences`: as many whole "
        "ones as there is room for; `tokens`: as many words. Texts without sections: by sentences.",
    )
    model: ModelName = Field("base", description="The model whose tokens are counted.")
    tokens: Count | None = Field(
        None,
        description="The most tokens of a chunk, headings and special tokens included; null: what the model reads.",
    )
    overlap: Annotated[int, Field(ge=0)] = Field(
        0, description="Tokens at the end of a chunk that the next one repeats, at most."
    )

    @model_validator(mode="after")
    def _room_for_more(self) -> ChunksStage:
        if self.tokens is not None and 2 * self.overlap > self.tokens:
            raise ValueError(f"overlap ({self.overlap}) is over half of tokens ({self.tokens})")
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "texts"}
