"""The settings of the stage that has a language model write training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from cosmith.errors import InputError
from cosmith.recipes.engine_schemas import EngineSettings
from cosmith.recipes.references import InputPath, Kind, ModelName, TextsName
from cosmith.recipes.stage_settings import Count, NearlyCrossing, OneOrMore, Positive, Share

if TYPE_CHECKING:
    from cosmith.mining.synthesis import Budget, Endpoint, SynthesisSettings

Price = Annotated[float, Field(ge=0)]
Names = Annotated[list[str], OneOrMore]
WordRange = Annotated[list[Count], Field(min_length=2, max_length=2)]


class SynthesiseStage(EngineSettings):
    """Training rows that a language model writes about texts, through any OpenAI-compatible endpoint: queries in the
    two steps of Qwen3-Embedding (arXiv:2506.05176), paraphrases, translations, or texts of given classes; parted as the
    pairs of `source` are, what was made from one text on one side. Answers are kept and never paid for twice."""

    kind: Literal["synthesise"] = "synthesise"
    texts: Annotated[list[TextsName], OneOrMore, Field(min_length=1)] = Field(
        description="What to write about: texts, training rows, or a collection's documents."
    )
    endpoint: str = Field(description="The service's address with its version, e.g. `http://localhost:11434/v1`.")
    llm: str = Field(description="What the service calls the language model.")
    make: Literal["queries", "paraphrases", "translations", "classes"] = Field(
        "queries",
        description="Queries that a text answers, the text in other words, its translations, or texts of given classes "
        "of the same sort.",
    )
    each: Count = Field(1, description="Queries or paraphrases a text.")
    most_texts: Count | None = Field(None, description="At most so many of the texts, drawn by chance; null: all.")
    languages: Names = Field(
        [], description="Languages to write in, one drawn for each text (translations: into all); none: the text's own."
    )
    words: WordRange = Field([5, 20], description="The least and the most words of a query, or of a text of a class.")
    types: Names = Field(
        ["keywords", "acquire_knowledge", "summary", "yes_or_no", "background"],
        description="Question types that the model may choose.",
    )
    difficulties: Names = Field(["high_school", "university", "phd"], description="Difficulties that it may choose.")
    classes: Names = Field([], description="For `make: classes`: what the classes are called.")
    personas: InputPath | None = Field(None, description="Who might ask, a line each; null: the list of Cosmith.")
    characters: Count = Field(5, description="How many of them, the nearest to a text, the model chooses from.")
    encoder: ModelName = Field("base", description="Finds those.")
    template: InputPath | None = Field(
        None, description="A file in place of the template that writes; see `cosmith data templates`."
    )
    configuration_template: InputPath | None = Field(
        None, description="A file in place of the one that chooses character, type and difficulty."
    )
    tries: Count = Field(2, description="How often to ask for something that is not answered as asked for.")
    most_characters: Count = Field(8000, description="What is longer of a text is not shown to the model.")
    key_variable: str | None = Field(
        None, description="The environment variable that holds the key, e.g. OPENAI_API_KEY; null: no key."
    )
    allow_plain_http: bool = Field(False, description="Send the key unencrypted to another machine.")
    input_price: Price = Field(0.0, description="Of a million tokens that are read, in any currency.")
    output_price: Price = Field(0.0, description="Of a million tokens that are written.")
    most_money: Positive | None = Field(None, description="Stop before more than this is spent; what is made is kept.")
    most_tokens: Count | None = Field(None, description="Stop before more tokens than this are read and written.")
    concurrency: Count = Field(8, description="The most requests under way at once.")
    timeout: Positive = Field(120.0, description="Seconds to wait for an answer.")
    retries: Annotated[int, Field(ge=0)] = Field(5, description="How often a request that failed is sent again.")
    tokens_parameter: str = Field(
        "max_tokens", description="What the service calls the limit of an answer; newer ones: `max_completion_tokens`."
    )
    parameters: dict[str, Any] = Field({}, description="What to send besides, e.g. `{top_p: 0.9}`.")
    cache: str | None = Field(None, description="The file of the answers; null: `.answers.sqlite` in the run's folder.")
    instruction: str = Field("", description="As in `source`.")
    dev: Share = Field(0.1, description="Share of the rows kept for the development set.")
    test: Share = Field(0.1, description="Share of the rows kept for the test set.")
    near: NearlyCrossing = 0.9

    @model_validator(mode="after")
    def _can_be_asked(self) -> SynthesiseStage:
        if self.dev + self.test >= 1:
            raise ValueError("dev and test together must stay below 1, or nothing is left to train on")
        try:
            self.asked_of()
            self.wanted(0)
            self.budget()
        except InputError as error:
            where = f"{error.field}: " if error.field else ""
            raise InputError(where + error.problem, path=error.path, remedy=error.remedy) from error
        return self

    def asked_of(self) -> Endpoint:
        """Where the language model is."""
        from cosmith.mining.synthesis import Endpoint

        return Endpoint(
            url=self.endpoint, model=self.llm, key_variable=self.key_variable, allow_plain_http=self.allow_plain_http,
            concurrency=self.concurrency, timeout=self.timeout, retries=self.retries,
            tokens_parameter=self.tokens_parameter, parameters=self.parameters,
        )  # fmt: skip

    def wanted(self, seed: int) -> SynthesisSettings:
        """What to write."""
        from cosmith.mining.synthesis import SynthesisSettings

        return SynthesisSettings(
            product=self.make, each=self.each, languages=tuple(self.languages), words=(self.words[0], self.words[1]),
            types=tuple(self.types), difficulties=tuple(self.difficulties), characters=self.characters,
            classes=tuple(self.classes), tries=self.tries, most_characters=self.most_characters,
            writing_template=self.template, configuration_template=self.configuration_template, seed=seed,
        )  # fmt: skip

    def budget(self) -> Budget:
        """What it may cost."""
        from cosmith.mining.synthesis import Budget

        return Budget(self.input_price, self.output_price, self.most_money, self.most_tokens)

    def outputs(self) -> dict[str, Kind]:
        held_out: dict[str, Kind] = {name: "collection" for name in ("dev", "test") if getattr(self, name)}
        return {"train": "source", **held_out}
