"""The settings of the stage that leaves out what is there twice, in another language, too short or about nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from cosmith.recipes.references import Kind, ModelName, RawTextsName, SourceName, TaskName
from cosmith.recipes.stage_settings import Count, OneOrMore, StageSettings

if TYPE_CHECKING:
    from cosmith.data.cleaning import Filter

_LIMITS = ("least_characters", "most_characters", "least_words", "most_words", "least_tokens", "most_tokens")


class CleanStage(StageSettings):
    """Training rows, or texts, without what is there twice, in another language, too short or too long, or about
    nothing. Of rows, queries and documents are judged: a row goes with its query, or with its last answer."""

    kind: Literal["clean"] = "clean"
    source: SourceName | None = Field(None, description="The rows to clean; or `texts`.")
    texts: RawTextsName | None = Field(None, description="The texts to clean.")
    part: Literal["both", "query", "document"] = Field(
        "both", description="What of a row is judged, and compared with other rows: `query`, `document` or `both`."
    )
    boilerplate: bool = Field(
        False,
        description="Remove lines that ten documents and 2 % of them have in common, and lines on cookies and terms "
        "of use; never from queries.",
    )
    least_characters: Count | None = Field(None, description="Leave out texts with fewer characters.")
    most_characters: Count | None = Field(None, description="And those with more.")
    least_words: Count | None = Field(None, description="Leave out texts with fewer words.")
    most_words: Count | None = Field(None, description="And those with more.")
    least_tokens: Count | None = Field(None, description="Leave out texts with fewer tokens of `model`.")
    most_tokens: Count | None = Field(None, description="And those with more.")
    model: ModelName = Field("base", description="The model whose tokens are counted, where they are limited.")
    languages: Annotated[list[str], OneOrMore] = Field(
        default_factory=list,
        description="Keep these languages (ISO 639-1, e.g. `en`), and what is too short to tell. None: all.",
    )
    least_confidence: Annotated[float, Field(ge=0, le=1)] = Field(
        0.7, description="How sure it has to be that a text is in another language."
    )
    repetition: bool = Field(
        False, description="Leave out texts that repeat themselves (arXiv:2112.11446, Table A1), from 50 words on."
    )
    symbols: bool = Field(
        False, description="Leave out texts of 50 words and more that are hardly language (the same, A.1.1)."
    )
    exact_duplicates: bool = Field(
        True, description="Leave out what is there already, but for case and spacing; of rows: query and answers."
    )
    near_duplicates: Annotated[float, Field(ge=0.3, le=1)] | None = Field(
        None,
        description="And what is nearly the same: Jaccard similarity of runs of five words (short texts: characters), "
        "e.g. 0.8.",
    )
    without: Annotated[list[TaskName], OneOrMore] = Field(
        default_factory=list,
        description="Leave out rows that train on a query of these test sets, or on one that is known by thirteen of "
        "its words in a row.",
    )

    @model_validator(mode="after")
    def _one_input(self) -> CleanStage:
        if (self.source is None) == (self.texts is None):
            raise ValueError("say source or texts, one of the two")
        if self.texts is not None and self.without:
            raise ValueError("without leaves out rows, so it goes with source")
        if not self.filters() and not self.without:
            raise ValueError("say what to leave out")
        return self

    def filters(self) -> list[Filter]:
        """What is asked of the texts, in the order in which it is asked."""
        from cosmith.data.cleaning import filters_asked

        return filters_asked(
            boilerplate=self.boilerplate,
            lengths={name: getattr(self, name) for name in _LIMITS},
            languages=self.languages,
            least_confidence=self.least_confidence,
            repetition=self.repetition,
            symbols=self.symbols,
            exact_duplicates=self.exact_duplicates,
            near_duplicates=self.near_duplicates,
        )

    def outputs(self) -> dict[str, Kind]:
        return {"": "texts" if self.texts is not None else "source"}
