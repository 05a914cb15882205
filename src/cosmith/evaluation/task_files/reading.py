"""Reads a task from whatever a user has: a file of any format, a folder of splits or of languages, a BEIR folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cosmith.data import Collection, read_sts
from cosmith.data.hub import is_hub_name
from cosmith.data.rows import write_rejected
from cosmith.data.tables import open_table, place_of, splits_of
from cosmith.data.test_sets import (
    TrainAndTest,
    read_analogies,
    read_candidates,
    read_judged_pairs,
    read_labelled_texts,
    read_pairs_as_collection,
    read_parallel_texts,
    read_summaries,
    read_word_pairs,
)
from cosmith.data.test_sets.words import is_word_file
from cosmith.errors import InputError, nearest
from cosmith.evaluation.task_files.guess import KINDS, NEEDED, Guess, guess_kind
from cosmith.evaluation.tasks.kind import Kind
from cosmith.evaluation.tasks.kinds import task_of
from cosmith.evaluation.tasks.subsets import SubsetsTask
from cosmith.evaluation.tasks.task import EvaluationTask
from cosmith.phrases import counted

_BEIR = ("corpus.jsonl", "queries.jsonl", "qrels")
_TRAIN = ("train", "training")
_SHARD = re.compile(r"(.*[-_.])?\d+([-_]of[-_]\d+)?")
_LANGUAGES = re.compile(r"[a-z]{2,3}([-_][A-Za-z]{2,4})?")


@dataclass(frozen=True)
class TaskRead:
    """A task, and how it was found.

    Attributes:
        task: The task.
        because: What says that it is of its kind, e.g. ``the columns 'sentence1', 'sentence2', 'score'``.
        guessed: Whether the kind was found, not said.
    """

    task: EvaluationTask
    because: str
    guessed: bool

    def describe(self) -> str:
        """``stsb: sts, by the columns 'sentence1', 'sentence2', 'score'``."""
        return f"{self.task.name}: {self.task.kind}, by {self.because}"


def read_task(
    path: str | Path,
    *,
    kind: str = "auto",
    split: str = "test",
    name: str | None = None,
    instruction: str | None = None,
    rejected: str | Path | None = None,
) -> TaskRead:
    """Read a task.

    Args:
        path: A file that :func:`cosmith.data.open_table` reads, or one of words; a BEIR folder; a folder with splits,
            ``PATH:SPLIT`` to say which; a folder with a file for each language or set.
        kind: One of the kinds of :mod:`cosmith.evaluation.tasks`; ``"auto"`` finds it by the columns.
        split: Which split of a folder that has several is the test.
        name: What to call the task; by default the name of the file or folder.
        instruction: What to tell models that take instructions; by default what a BEIR folder says.
        rejected: Where to write the records that cannot be used, as JSON lines.

    Raises:
        InputError: When the kind is unknown or cannot be found, or the files cannot be read or scored.
    """
    if kind != "auto" and kind not in KINDS:
        raise InputError(f"unknown kind of task {kind!r}", field="kind", remedy=nearest(kind, ["auto", *KINDS]))
    asked = next((each for each in KINDS if each == kind), None)
    files = _TaskFiles(name or _name(path), asked, split, instruction, rejected)
    place = place_of(path)
    if is_hub_name(str(path)) or place.split is not None or not place.path.is_dir():
        return files.of_table(path)
    if any((place.path / part).exists() for part in _BEIR):
        return files.of_beir(place.path)
    return files.of_folder(place.path)


@dataclass(frozen=True)
class _TaskFiles:
    """What was asked of the files of a task; see :func:`read_task`."""

    name: str
    kind: Kind | None
    split: str
    instruction: str | None
    rejected: str | Path | None

    def of_beir(self, folder: Path) -> TaskRead:
        if self.kind not in (None, "retrieval"):
            raise InputError(
                f"a BEIR folder is a retrieval task, not {self.kind}", path=folder, field="kind",
                remedy="Leave the kind out.",
            )  # fmt: skip
        collection = Collection.read_beir(folder, self.split, self.name, rejected=self.rejected)
        because = f"its corpus, queries and qrels/{self.split}.tsv"
        if collection.unanswered:
            left_out = counted(collection.unanswered, "query", "queries")
            because += f" ({left_out} without a relevant document left out)"
        return self._read(collection, because)

    def of_table(self, path: str | Path) -> TaskRead:
        if not is_word_file(path):
            open_table(path)  # says what is wrong with the file before what is wrong with its columns
        guess = guess_kind(path) if self.kind is None else Guess(self.kind, f"its columns ({NEEDED[self.kind]})")
        if guess.kind == "classification":
            raise InputError(
                "has no texts that a classifier could learn from", path=path, field="kind",
                remedy="Give the folder in which it and a file called train lie, or the kind clustering.",
            )  # fmt: skip
        if guess.kind == "retrieval":
            data: Any = read_pairs_as_collection(path, self.name, rejected=self.rejected)
        elif guess.kind == "pair-classification" and self.kind is None:
            data = read_judged_pairs(path, label=guess.columns[2], rejected=self.rejected)
        else:
            data = _READERS[guess.kind](path, rejected=self.rejected)
        return self._read(data, guess.because)

    def of_folder(self, folder: Path) -> TaskRead:
        splits = splits_of(folder)
        if list(splits) == [""]:
            return self._of_files(folder, splits[""])
        split = self._split(folder, [name for name in splits if name])
        train = next((name for name in _TRAIN if name in splits and name != split), None)
        tested = f"{folder}:{split}"
        kind = self.kind or guess_kind(tested).kind
        if train is not None and (kind == "classification" or (self.kind is None and kind == "clustering")):
            parts = TrainAndTest(read_labelled_texts(f"{folder}:{train}"), read_labelled_texts(tested))
            if self.rejected is not None:
                write_rejected(self.rejected, parts.rejected)
            return self._read(parts, f"the columns of text and label of its splits {train!r} and {split!r}")
        read = self.of_table(tested)
        return replace(read, because=f"{read.because} of its split {split!r}")

    def _split(self, folder: Path, splits: list[str]) -> str:
        if self.split in splits:
            return self.split
        if len(splits) == 1:
            return splits[0]
        raise InputError(
            f"has no split {self.split!r}; its splits: {', '.join(splits)}", path=folder, field="split",
            remedy=nearest(self.split, splits),
        )  # fmt: skip

    def _of_files(self, folder: Path, files: list[Path]) -> TaskRead:
        """A folder without splits: one table in several files, or a set for each file."""
        shards = all(_SHARD.fullmatch(_stem(file)) for file in files) and not is_word_file(files[0])
        if shards or (folder / "state.json").is_file():
            return self.of_table(folder)
        if len(files) == 1:
            return self.of_table(files[0])
        parts = [replace(self, name=_stem(file), rejected=None).of_table(file) for file in files]
        kinds = {part.task.kind for part in parts}
        if len(kinds) > 1:
            first, other = parts[0], next(part for part in parts if part.task.kind != parts[0].task.kind)
            raise InputError(
                f"holds tasks of several kinds, e.g. {first.describe()}, and {other.describe()}", path=folder,
                remedy="Give each file by itself, or say the kind.",
            )  # fmt: skip
        languages = all(_LANGUAGES.fullmatch(part.task.name) for part in parts)
        task = SubsetsTask(self.name, tuple(part.task for part in parts), "language" if languages else "set")
        if self.rejected is not None:
            write_rejected(self.rejected, task.rejected)
        return TaskRead(task, f"{parts[0].because} of each of its {len(files)} files", self.kind is None)

    def _read(self, data: Any, because: str) -> TaskRead:
        if self.instruction is not None:
            data = with_instruction(data, self.instruction)
        return TaskRead(task_of(self.name, data), because, self.kind is None)


def with_instruction(data: Any, instruction: str) -> Any:
    """Data of a task with an instruction; words have none."""
    if isinstance(data, TrainAndTest):
        return replace(data, test=replace(data.test, instruction=instruction))
    return replace(data, instruction=instruction) if hasattr(data, "instruction") else data


_READERS: Mapping[Kind, Callable[..., Any]] = {
    "reranking": read_candidates,
    "sts": read_sts,
    "pair-classification": read_judged_pairs,
    "clustering": read_labelled_texts,
    "bitext-mining": read_parallel_texts,
    "summarisation": read_summaries,
    "word-similarity": read_word_pairs,
    "analogy": read_analogies,
}


def _name(path: str | Path) -> str:
    return str(path) if is_hub_name(str(path)) else Path(path).resolve().name


def _stem(file: Path) -> str:
    """A file's name without its endings."""
    return file.name.removesuffix(".gz").rpartition(".")[0]
