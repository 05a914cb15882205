"""The settings of each kind of stage: one frozen pydantic model a kind, no behaviour but the names of its outputs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cosmith.errors import InputError
from cosmith.evaluation.tasks.kind import Kind as TaskKind
from cosmith.recipes.choices import LossChoice, VectorFormChoice
from cosmith.recipes.document_schemas import BestChunkSettings
from cosmith.recipes.engine_schemas import EngineSettings
from cosmith.recipes.mixture_schemas import TextMixtureSettings
from cosmith.recipes.references import (
    CollectionName,
    InputPath,
    Kind,
    Mentions,
    ModelName,
    RankerName,
    RetrieverName,
    ScoresName,
    TaskName,
)
from cosmith.recipes.stage_settings import (
    Count,
    Moment,
    NearlyCrossing,
    OneOrMore,
    Positive,
    PromptNames,
    Share,
    ShareOrAll,
    StageSettings,
)
from cosmith.training.merge_settings import DEFAULTS, NEED_BASE, NEED_DEV, SETTINGS, require_read


class PythonFunctionsStage(StageSettings):
    """Pairs from the installed Python packages: the first sentence of a docstring, the function without it."""

    kind: Literal["python-functions"] = "python-functions"
    search_paths: list[InputPath] | None = Field(
        None, description="Folders that hold Python packages; null: all that this Python has installed."
    )
    train_pairs: Count = Field(6000, description="Pairs to train on.")
    dev_queries: Count = Field(300, description="Queries of the development set.")
    dev_documents: Count = Field(1000, description="Documents of the development set, answers and distractors.")
    test_queries: Count = Field(1000, description="Queries of the test set.")
    test_documents: Count = Field(3000, description="Documents of the test set, answers and distractors.")
    near: NearlyCrossing = 0.9

    def outputs(self) -> dict[str, Kind]:
        return {"train": "source", "dev": "collection", "test": "collection"}


class SourceStage(StageSettings):
    """Rows: training pairs, and development and test sets split off them. However many: they are streamed."""

    kind: Literal["source"] = "source"
    path: InputPath = Field(
        description="A file (JSONL, CSV, TSV, Parquet, Arrow), a folder of such files, of `datasets`, BEIR or MS MARCO "
        "(`PATH:SPLIT` says which split), or `hf:OWNER/NAME[:CONFIGURATION][:SPLIT]`, a data set of the hub."
    )
    query: str = Field("auto", description="Column of the queries; `auto` knows the usual names.")
    positive: str = Field("auto", description="Column of the answers: a text or a list of texts.")
    negative: str = Field("auto", description="Column of the non-answers, if there is one.")
    group: str = Field(
        "auto",
        description="Column whose values never stand in two parts of the split; rows of one query never do.",
    )
    document_group: str = Field(
        "auto",
        description="Column of the document that an answer is a part of, e.g. the page of a passage: other parts of it "
        "are not taken for non-answers by losses that mask `same_document`.",
    )
    label: str | None = Field(
        "auto",
        description="Column of a class, a whole number; null: none. Found by its name, it is used where half of the "
        "first 1,000 rows have a value; rows that lack what is used or named are put aside.",
    )
    scores: str | None = Field(
        "auto", description="Column of a teacher's scores or of a graded similarity; null: none. Likewise."
    )
    task: Literal["retrieval", "sts", "classification", "clustering", "bitext", "pair"] = Field(
        "retrieval", description="What the rows are for; decides whether other rows' answers serve as negatives."
    )
    instruction: str = Field(
        "", description="What the queries ask for; takes the place of `{task}` in the prompts of models that have it."
    )
    loss: LossChoice = Field(
        "default", description="These rows' own loss, said as in `train`; `default`: that of the training."
    )
    temperature: Positive | None = Field(None, description="Of these rows' loss; null: that of the training.")
    in_batch_negatives: bool | None = Field(
        None, description="Whether other rows' answers serve as negatives; null: by `task`."
    )
    prompts: PromptNames | None = Field(
        None,
        description="The names of the model's prompts before queries and before documents; null: `query`, and by "
        "`task` `document` or `query`.",
    )
    dev: Share = Field(0.1, description="Share of the queries kept for the development set.")
    test: Share = Field(0.1, description="Share of the queries kept for the test set.")
    dev_queries: Count = Field(500, description="Most queries of the development set.")
    dev_documents: Count = Field(
        2000, description="Most documents of the development set: the answers, then others of the file by chance."
    )
    test_queries: Count = Field(2000, description="Most queries of the test set.")
    test_documents: Count = Field(20000, description="Most documents of the test set, likewise.")
    split: Literal["group", "row", "time"] = Field(
        "group",
        description="What is parted: queries and `group`s by chance; rows by chance; or rows by `time`, the latest for "
        "the test. By user: name the user's column in `group`.",
    )
    time: str | None = Field(None, description="Column of the time, for `split: time`: ISO 8601, or seconds.")
    test_from: Moment | None = Field(None, description="When the test begins, in place of its share; as 2024-05-31.")
    near: NearlyCrossing = 0.9

    @model_validator(mode="after")
    def _something_to_train_on(self) -> SourceStage:
        if self.dev + self.test >= 1:
            raise ValueError("dev and test together must stay below 1, or nothing is left to train on")
        if (self.split == "time") != (self.time is not None):
            raise ValueError("split: time and the column `time` belong together")
        if self.test_from is not None and (self.split != "time" or not self.test):
            raise ValueError("test_from says when the test begins, so it needs split: time and a test")
        return self

    def outputs(self) -> dict[str, Kind]:
        given: dict[str, Kind] = {"train": "source"}
        if self.dev:
            given["dev"] = "collection"
        if self.test:
            given["test"] = "collection"
        return given


class CollectionStage(StageSettings):
    """A retrieval set in the BEIR layout (corpus.jsonl, queries.jsonl, qrels/*.tsv)."""

    kind: Literal["collection"] = "collection"
    path: InputPath = Field(description="The folder.")
    test_split: str = Field("test", description="The file of qrels/ that becomes the output `test`.")
    train_split: str | None = Field(None, description="The file of qrels/ that becomes the training rows `train`.")
    dev_split: str | None = Field(None, description="The file of qrels/ that becomes the output `dev`.")
    dev: Share = Field(0, description="Without dev_split: share of the training queries kept for `dev`.")
    dev_queries: Count = Field(500, description="Most queries of `dev`.")
    dev_documents: Count = Field(
        2000, description="Most documents of `dev`: the judged ones, then others by chance; all would be slow to watch."
    )
    instruction: str | None = Field(
        None,
        description="What the queries ask for; takes the place of `{task}` in the prompts of models that have it. "
        "Null: what `cosmith.json` in the folder says.",
    )

    @model_validator(mode="after")
    def _dev_from_one_place(self) -> CollectionStage:
        if self.dev and self.dev_split:
            raise ValueError("say dev_split or dev, not both")
        if self.dev and not self.train_split:
            raise ValueError("dev takes its queries from train_split, which is not said")
        return self

    def outputs(self) -> dict[str, Kind]:
        given: dict[str, Kind] = {"test": "collection"}
        if self.train_split:
            given["train"] = "source"
        if self.dev_split or self.dev:
            given["dev"] = "collection"
        return given


class StsStage(StageSettings):
    """A file of text pairs with a similarity score each."""

    kind: Literal["sts"] = "sts"
    path: InputPath = Field(description="The file: two texts and a score a row.")
    instruction: str = Field(
        "",
        description="What the texts are compared for; takes the place of `{task}` in the prompt `query` of models "
        "that have it, before both.",
    )

    def outputs(self) -> dict[str, Kind]:
        return {"": "sts"}


class TaskStage(StageSettings):
    """A test set of any kind of task, as `cosmith evaluate --task` reads it."""

    kind: Literal["task"] = "task"
    path: InputPath = Field(
        description="A file, a folder with splits, a folder with a file for each language or set, or a BEIR folder."
    )
    task: Literal["auto"] | TaskKind = Field(
        "auto", description="What is asked of the model; `auto` finds it by the columns."
    )
    split: str = Field("test", description="Which split of a folder that has several.")
    instruction: str | None = Field(
        None, description="What to tell models that take instructions; null: what a BEIR folder says."
    )

    def outputs(self) -> dict[str, Kind]:
        return {"": "task"}


class EstimateStage(StageSettings):
    """What a training stage will cost: tokens a step, time, peak memory, padding, texts cut."""

    kind: Literal["estimate"] = "estimate"
    train: Annotated[str, Mentions("train")] = Field(description="The training stage to estimate; it may stand below.")


class EvaluateStage(BestChunkSettings):
    """Scores of one or more models on one or more tasks, with bootstrap intervals over queries."""

    kind: Literal["evaluate"] = "evaluate"
    models: Annotated[list[RankerName], OneOrMore, Field(min_length=1)] = Field(
        ["base"], description="`base`, `bm25`, or what stages of training have made."
    )
    tasks: Annotated[list[TaskName], OneOrMore, Field(min_length=1)] = Field(
        description="Test sets of any kind; `general-check` is a small general-purpose one that comes with Cosmith."
    )
    dim: Count | None = Field(None, description="Cut the vectors to their first `dim` numbers.")
    first: RetrieverName | None = Field(None, description="What finds the documents that rerankers put in order.")
    rerank: Count = Field(100, description="How many of the found documents they read.")
    pool_factor: Annotated[float, Field(ge=1)] = Field(
        1.0,
        description="Late-interaction models keep about one vector of a document in so many: 2 halves an index "
        "(token pooling).",
    )

    def outputs(self) -> dict[str, Kind]:
        return {"": "scores"}


class TrainStage(TextMixtureSettings):
    """Training, with a development set along the way, ending never worse on it than the model that it began with."""

    kind: Literal["train"] = "train"
    model: ModelName = Field("base", description="The model to start from: `base`, or an earlier training stage.")
    dev: Annotated[list[TaskName], OneOrMore] = Field(
        default_factory=list,
        description="Collections or sts sets to watch; with several, the mean of their main metrics decides. "
        "None: no best checkpoint, no interpolation.",
    )
    general: Annotated[list[TaskName], OneOrMore] = Field(
        default_factory=list, description="What shall not be forgotten, scored beside `dev`; chooses nothing."
    )
    batch_size: Count = Field(64, description="Rows (queries with their texts) a step; all of a source that has fewer.")
    learning_rate: Positive = Field(2e-5, description="The highest rate of the schedule.")
    loss: LossChoice = Field(
        "default",
        description="The name of a loss, or a mapping of `name` and the parameters to change, e.g. "
        "`{name: triplet, margin: 0.3}`.",
    )
    temperature: Positive | None = Field(None, description="In place of the loss's own, where it has one.")
    teacher: ModelName | None = Field(
        None, description="The model that guides `gist`, and that `embedding-mse` and `follow-query` follow."
    )
    dims: list[Count] = Field(default_factory=list, description="Nested dimensions to train beside the full one.")
    dim_weights: list[Positive] = Field(
        default_factory=list, description="Weight of the loss at each of `dims`, the full one's being 1."
    )
    quantise: Annotated[list[Literal["int8", "binary"]], OneOrMore] = Field(
        default_factory=list, description="Train for embeddings quantised like this, too."
    )
    spread_out: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Weight of a term that keeps embeddings spread out; 0: none."
    )
    remine_every: Positive | None = Field(
        None,
        description="Epochs after which, again and again, what stages `mine` have mined of the sources is mined anew, "
        "with the model as it then is; null: once is enough.",
    )
    max_query_length: Count | None = Field(None, description="Tokens at which queries are cut; null: the model's.")
    max_document_length: Count | None = Field(None, description="Likewise for positives and negatives.")
    keep_best: bool = Field(True, description="End with the best evaluation's weights, not the last ones.")
    interpolate: bool | list[ShareOrAll] = Field(
        True,
        description="Look between the model it began with and the result for the best weights on `dev`: yes, no, or "
        "the shares of the result to try.",
    )
    merge_adapter: bool = Field(True, description="Leave an ordinary model; false: the adapter, which needs its base.")

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}


class MergeStage(StageSettings):
    """One model out of several that were trained from the same one, and what each costs in general skill."""

    kind: Literal["merge"] = "merge"
    models: Annotated[list[ModelName], OneOrMore, Field(min_length=1)] = Field(description="The models to merge.")
    method: Literal["soup", "greedy-soup", "slerp", "interpolation", "task-arithmetic", "ties"] = Field(
        "slerp",
        description="`soup`: the mean; `greedy-soup`: of those that help on `dev`; `slerp`: along the arc between "
        "them; `interpolation`: the best point between their mean and `base`; `task-arithmetic`, `ties`: their "
        "changes, added to `base`.",
    )
    base: ModelName = Field("base", description="The model that they were trained from.")
    weights: list[Positive] = Field(default_factory=list, description="One for each model; none: equal ones.")
    density: Annotated[float, Field(gt=0, le=1)] = Field(
        DEFAULTS["density"], description="Share of the changes that `ties` keeps."
    )
    scale: Positive = Field(DEFAULTS["scale"], description="How much of the changes `task-arithmetic` and `ties` add.")
    grid: list[ShareOrAll] = Field(
        list(DEFAULTS["grid"]), description="Shares of the merged model that `interpolation` tries beside the base."
    )
    dev: Annotated[list[TaskName], OneOrMore] = Field(
        default_factory=list,
        description="Collections or sts sets on which all are scored and `greedy-soup` and `interpolation` choose; "
        "with several, the mean of their main metrics.",
    )
    general: Annotated[list[TaskName], OneOrMore] = Field(
        ["general-check"], description="What shall not be forgotten, scored beside `dev`; chooses nothing."
    )

    @model_validator(mode="after")
    def _enough_to_merge(self) -> MergeStage:
        if len(self.models) < 2 and self.method not in NEED_BASE:
            raise InputError(f"{self.method} needs two models or more", remedy="Name another one in `models`.")
        if self.method in NEED_DEV and not self.dev:
            raise InputError(
                f"{self.method} chooses by dev, which is not said", remedy="Name a collection or an sts set in `dev`."
            )
        if self.weights and len(self.weights) != len(self.models):
            raise ValueError(f"{len(self.weights)} weights for {len(self.models)} models")
        # Not by what was said: a run's own recipe.yaml says the defaults, too.
        default = {name: type(self).model_fields[name].get_default(call_default_factory=True) for name in SETTINGS}
        said = [name for name in SETTINGS if getattr(self, name) != default[name]]
        require_read(self.method, said, scored=bool(self.dev))
        return self

    def outputs(self) -> dict[str, Kind]:
        return {"": "model"}


class CompareStage(StageSettings):
    """Is one model better than another, by how much, how sure? On the tasks that both were scored on."""

    kind: Literal["compare"] = "compare"
    before: RankerName = Field("base", description="The model to compare with.")
    after: RankerName = Field(description="The model whose gain is asked for.")
    scores: Annotated[list[ScoresName], OneOrMore, Field(min_length=1)] = Field(
        description="The evaluate stages that scored the two."
    )
    examples: Annotated[int, Field(ge=0)] = Field(
        5, description="How many queries to show that gained most, and that lost most, on the first task."
    )

    @model_validator(mode="after")
    def _two_models(self) -> CompareStage:
        if self.before == self.after:
            raise ValueError(f"before and after are the same model ({self.before})")
        return self


class IndexStage(BestChunkSettings, EngineSettings):
    """An index over a collection's documents, with example searches before and after training."""

    kind: Literal["index"] = "index"
    model: ModelName = Field(description="The model whose vectors are indexed.")
    documents: CollectionName = Field(description="The collection whose documents are indexed.")
    before: ModelName | None = Field(
        "base", description="The model to show beside it in the example searches, or null."
    )
    queries: Annotated[list[str], OneOrMore] = Field(
        default_factory=list, description="Queries to search for, before the collection's own."
    )
    examples: Annotated[int, Field(ge=0)] = Field(
        3, description="How many of the collection's own queries to search for."
    )
    k: Count = Field(3, description="How many documents to show a search.")
    dim: Count | None = Field(None, description="Cut the vectors to their first `dim` numbers.")
    form: VectorFormChoice | None = Field(
        None, description="A compressed form of the vectors, e.g. `rabitq, rescored x4 by int8`; `before` stays whole."
    )

    def outputs(self) -> dict[str, Kind]:
        return {"": "index"}


class ReportStage(StageSettings):
    """One HTML page, `report.html` in the run's folder, of all that the stages above it found."""

    kind: Literal["report"] = "report"
