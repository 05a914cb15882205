"""The settings of the stages that make training rows of something else: of classes, of graded pairs, of raw texts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosmith.recipes.choices import LossChoice, WeakPairChoice
from cosmith.recipes.references import InputPath, Kind, TextsName
from cosmith.recipes.stage_settings import Count, NearlyCrossing, OneOrMore, Share, StageSettings


class ClassesStage(StageSettings):
    """A file of texts with a class each (JSONL, CSV, TSV, Parquet), as training rows: classification and clustering."""

    kind: Literal["classes"] = "classes"
    path: InputPath = Field(description="The file: a text and its class a row.")
    text: str = Field("auto", description="Column of the texts; `auto` knows the usual names.")
    label: str = Field("auto", description="Column of the classes; `auto`: label, class, category, intent or cluster.")
    form: Literal["examples", "labels"] = Field(
        "examples",
        description="What a text's positive is: `examples`: another text of its class; `labels`: the name of its "
        "class, which has to mean something. Negatives likewise, of other classes.",
    )
    positives: Count = Field(1, description="Positives a row, in the form `examples`.")
    negatives: Count = Field(7, description="Negatives a row, drawn evenly from the other classes.")
    task: Literal["classification", "clustering"] = Field(
        "classification", description="What the rows are for; of neither do other rows' texts serve as negatives."
    )
    instruction: str = Field("", description="As in `source`.")
    loss: LossChoice = Field("default", description="As in `source`.")

    @model_validator(mode="after")
    def _one_name_a_class(self) -> ClassesStage:
        if self.form == "labels" and self.positives > 1:
            raise ValueError("in the form labels a text has one positive, the name of its class")
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "source"}


class WeakPairsStage(StageSettings):
    """Training pairs from documents without any, in the forms that are asked for (see weak-pairs.md); parted as the
    pairs of `source` are, those of a document together. The output `texts` is all that may be read before the test:
    held-out titles and queries are not in it."""

    kind: Literal["weak-pairs"] = "weak-pairs"
    texts: Annotated[list[TextsName], OneOrMore] = Field(
        [],
        description="The documents: texts, best with a column `title`; training rows; or a collection's documents. "
        "None where all forms are made of something else.",
    )
    forms: Annotated[list[WeakPairChoice], OneOrMore, Field(min_length=1)] = Field(
        ["title", "first-sentence"],
        description="Their names, or mappings of `name` and settings; what two of them find, the one named first has.",
    )
    threads: InputPath | None = Field(None, description="A file of forum threads, for the form `forum`.")
    clicks: InputPath | None = Field(
        None, description="A click log (query, document, action, time), for the form `co-clicked`."
    )
    shortest_query: Count = Field(
        12, description="Characters of a first sentence; a shorter one takes the next along. Of a question or a drawn "
        "sentence, where the form does not say it itself.",
    )  # fmt: skip
    shortest_document: Count = Field(40, description="Characters of what is found; a document with less gives no pair.")
    most_shared: Count = Field(3, description="A head that more documents share says little of any, and gives no pair.")
    most_per_document: Count = Field(16, description="Pairs of a document, those of forms named earlier first.")
    instruction: str = Field("", description="As in `source`.")
    dev: Share = Field(0.1, description="Share of the pairs kept for the development set.")
    test: Share = Field(0.1, description="Share of the pairs kept for the test set.")
    near: NearlyCrossing = 0.9

    @model_validator(mode="after")
    def _something_to_train_on(self) -> WeakPairsStage:
        if self.dev + self.test >= 1:
            raise ValueError("dev and test together must stay below 1, or nothing is left to train on")
        return self

    @model_validator(mode="after")
    def _something_to_make_pairs_of(self) -> WeakPairsStage:
        if not self.texts and self.threads is None and self.clicks is None:
            raise ValueError("give texts, threads for the form forum, or clicks for the form co-clicked")
        return self

    def outputs(self) -> dict[str, Kind]:
        held_out: dict[str, Kind] = {name: "collection" for name in ("dev", "test") if getattr(self, name)}
        return {"train": "source", **held_out, **({"texts": "texts"} if self.texts else {})}


class SelfPairsStage(StageSettings):
    """Each text as its own positive, for SimCSE: the model sees it twice, with other dropout (arXiv:2104.08821)."""

    kind: Literal["self-pairs"] = "self-pairs"
    texts: Annotated[list[TextsName], OneOrMore, Field(min_length=1)] = Field(
        description="Texts, training rows, or a collection's documents."
    )

    def outputs(self) -> dict[str, Kind]:
        return {"": "source"}


class GradedPairsStage(StageSettings):
    """A file of text pairs with a similarity score each, as training rows: pairs that are alike are each other's
    positives, and negatives are texts of the file that share words with them and are not (arXiv:2405.17428)."""

    kind: Literal["graded-pairs"] = "graded-pairs"
    path: InputPath = Field(description="The file: two texts and a score a row.")
    least: float = Field(4.0, description="Pairs that score this much or more are alike; for a scale from 0 to 5.")
    unlike: float = Field(2.5, description="What scores higher than this with a text is never its negative.")
    negatives: Count = Field(7, description="Negatives a row, found by BM25; drawn where too few texts share a word.")
    language: str | None = Field(
        "english", description="Whose stemmer and stop words BM25 uses; null: words as they are."
    )
    instruction: str = Field("", description="As in `sts`.")
    loss: LossChoice = Field("default", description="As in `source`.")

    @model_validator(mode="after")
    def _alike_is_above_unlike(self) -> GradedPairsStage:
        if not self.unlike < self.least:
            raise ValueError("unlike must be below least, or what is alike could be a negative")
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "source"}
