"""A cross-encoder's folder, as sentence-transformers writes and reads it.

Two forms. A *classifier* is a transformers ``…ForSequenceClassification`` folder with one label. A *language model* is
a ``…ForCausalLM`` folder whose tokenizer has a chat template for the roles ``query`` and ``document``, with a
LogitScore module that names the words for relevant and not relevant; a bare folder of the kind (Qwen3-Reranker,
arXiv:2506.05176) gets that model's template and its words, yes and no.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cosmith.atomic import atomic_folder, require_replaceable, write_json
from cosmith.errors import InputError
from cosmith.models.backbone import load_backbone, quiet_transformers
from cosmith.models.folder import listed_modules, read_object, required_value, typed_value
from cosmith.models.module import ACTIVATIONS

_MAKE = "Make a cross-encoder of it: CrossEncoder.from_encoder(Encoder.load(...))."
_SETTINGS = "config_sentence_transformers.json"
_TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"
_LOGIT_SCORE = "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"
_ACTIVATION_PATHS = {"Identity": "torch.nn.modules.linear.Identity"}
_FORWARD = {"method": "forward", "method_output_name": "logits"}

QWEN3_RERANKER_TEMPLATE = """\
{%- set said = namespace(instruction='Given a web search query, retrieve relevant passages that answer the query', \
query='', document='') -%}
{%- for message in messages -%}
{%- if message.role == 'system' -%}{%- set said.instruction = message.content -%}
{%- elif message.role == 'query' -%}{%- set said.query = message.content -%}
{%- elif message.role == 'document' -%}{%- set said.document = message.content -%}
{%- endif -%}
{%- endfor -%}
{{- '<|im_start|>system\\nJudge whether the Document meets the requirements based on the Query and the Instruct \
provided. Note that the answer can only be "yes" or "no".<|im_end|>\\n<|im_start|>user\\n<Instruct>: ' \
+ said.instruction + '\\n<Query>: ' + said.query + '\\n<Document>: ' + said.document \
+ '<|im_end|>\\n<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' -}}
"""
"""How Qwen3-Reranker reads a pair (its model card)."""


@dataclass(frozen=True)
class WordScore:
    """A language model's score: the logit of the word for relevant, less that of the other word if there is one.

    With two words it is the log-odds: its sigmoid is the probability of the first one among the two.
    """

    relevant: int
    other: int | None


@dataclass(frozen=True)
class CrossEncoderSpec:
    """What a folder says beyond model and tokenizer.

    Attributes:
        activation: What scores pass in use (not in training): ``Sigmoid`` or ``Identity``.
        words: For language models, how the score comes about; None: a classifier.
        instruction: What a language model is told where a call says nothing else; empty: what its template says.
        max_length: The most tokens of a pair, if the folder says it.
        prompts: As the folder names them, kept for saving.
    """

    activation: str = "Sigmoid"
    words: WordScore | None = None
    instruction: str = ""
    max_length: int | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)


def read_cross_encoder(folder: Path) -> tuple[Any, Any, CrossEncoderSpec]:
    """The transformers model with its head, the tokenizer, and what else the folder says.

    Raises:
        InputError: When it is no cross-encoder, is not whole, or has parts that Cosmith does not know.
    """
    if not (folder / "config.json").is_file():
        raise InputError("is no cross-encoder: config.json does not stand in it", path=folder,
                         remedy="Name a folder saved by Cosmith, sentence-transformers or transformers.")  # fmt: skip
    listing = folder / "modules.json"
    modules = list(listed_modules(listing)) if listing.is_file() else []
    kinds = [kind for kind, _ in modules]
    if kinds not in ([], ["Transformer"], ["Transformer", "LogitScore"]):
        raise InputError(f"has the modules {', '.join(kinds)}, which give no score for a pair", path=listing,
                         remedy=f"A cross-encoder is a Transformer, alone or with a LogitScore. {_MAKE}")  # fmt: skip
    config = read_object(folder / "config.json")
    architecture = str((config.get("architectures") or [""])[0])
    writes = "LogitScore" in kinds or architecture.endswith("ForCausalLM")
    if not writes and not architecture.endswith("ForSequenceClassification"):
        raise InputError(f"holds a {architecture or 'model without a head'}, which gives no score for a pair",
                         path=folder, remedy=_MAKE)  # fmt: skip
    model, tokenizer = load_backbone(folder, f"AutoModelFor{'CausalLM' if writes else 'SequenceClassification'}")
    if not writes and model.config.num_labels != 1:
        raise InputError(f"has {model.config.num_labels} labels, but a score is one number", path=folder,
                         field="num_labels", remedy="Name a cross-encoder with one label.")  # fmt: skip
    settings = read_object(folder / _SETTINGS)
    prompts = typed_value(settings, "prompts", dict, folder / _SETTINGS) or {}
    instruction = prompts.get(settings.get("default_prompt_name") or "", "")
    if instruction and not writes:
        raise InputError("puts a prompt before its texts, which Cosmith does not do for classifiers",
                         path=folder / _SETTINGS, field="default_prompt_name", remedy="Leave it out.")  # fmt: skip
    lengths = read_object(folder / "sentence_bert_config.json")
    return model, tokenizer, CrossEncoderSpec(
        activation=_activation(settings, config, folder),
        words=_words(tokenizer, modules[1][1] if len(modules) > 1 else None) if writes else None,
        instruction=instruction,
        max_length=typed_value(lengths, "max_seq_length", int, folder / "sentence_bert_config.json"),
        prompts=prompts,
    )  # fmt: skip


def _activation(settings: Mapping[str, Any], config: Mapping[str, Any], folder: Path) -> str:
    """By the names of three generations of sentence-transformers."""
    older = config.get("sentence_transformers") or {}
    path = settings.get("activation_fn") or older.get("activation_fn")
    path = str(path or config.get("sbert_ce_default_activation_function") or "Sigmoid")
    name = path.rpartition(".")[2]
    if name not in ACTIVATIONS:
        raise InputError(f"the activation {path} is not known", path=folder, field="activation_fn",
                         remedy=f"Known: {', '.join(ACTIVATIONS)}.")  # fmt: skip
    return name


def _words(tokenizer: Any, folder: Path | None) -> WordScore:
    if folder is not None:
        config = read_object(folder / "config.json")
        relevant = required_value(config, "true_token_id", int, folder / "config.json")
        return WordScore(relevant, typed_value(config, "false_token_id", int, folder / "config.json"))
    return default_words(tokenizer)


def default_words(tokenizer: Any) -> WordScore:
    """Yes and no.

    Raises:
        InputError: When one of them is no single token.
    """
    vocabulary = tokenizer.get_vocab()
    missing = [word for word in ("yes", "no") if word not in vocabulary]
    if missing:
        raise InputError(f"the tokenizer has no token {missing[0]!r}, by which a language model scores",
                         field="tokenizer", remedy="Name a model that has the tokens yes and no.")  # fmt: skip
    return WordScore(vocabulary["yes"], vocabulary["no"])


def knows_roles(template: str | None) -> bool:
    """Whether a chat template has a place for a query and a document."""
    return template is not None and "query" in template and "document" in template


def write_cross_encoder(
    folder: str | Path, model: Any, tokenizer: Any, spec: CrossEncoderSpec, card: str | None
) -> Path:
    """Write the folder, atomically.

    Raises:
        InputError: When the folder holds something else than a model.
    """
    import transformers

    target = Path(folder)
    require_replaceable(target, "modules.json", "a model")
    activation = _ACTIVATION_PATHS.get(spec.activation, f"torch.nn.modules.activation.{spec.activation}")
    task, form, output = "sequence-classification", {"text": _FORWARD}, "scores"
    if spec.words is not None:
        task, output = "text-generation", "causal_logits"
        form = {"text": _FORWARD, "message": {**_FORWARD, "format": "flat"}}
    named = {name: spec.instruction for name in ("query",) if spec.instruction}
    with atomic_folder(target) as place:
        # where releases before 5.4 look for it, too
        model.config.sentence_transformers = {"activation_fn": activation}
        with quiet_transformers():
            model.save_pretrained(place, safe_serialization=True)
        tokenizer.save_pretrained(place)
        paths = [("", _TRANSFORMER)]
        if spec.words is not None:
            paths.append(("1_LogitScore", _LOGIT_SCORE))
            (place / "1_LogitScore").mkdir()
            ids = {"true_token_id": spec.words.relevant, "false_token_id": spec.words.other}
            write_json(place / "1_LogitScore" / "config.json", ids | {"module_input_name": "causal_logits"})
        listing = [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(paths)]
        write_json(place / "modules.json", listing)
        write_json(
            place / "sentence_bert_config.json",
            {"transformer_task": task, "modality_config": form, "module_output_name": output},
        )
        settings = {
            "__version__": {"pytorch": torch.__version__, "transformers": transformers.__version__},
            "activation_fn": activation,
            "default_prompt_name": next(iter(named), None),
            "model_type": "CrossEncoder",
            "prompts": {**spec.prompts, **named},
        }
        write_json(place / _SETTINGS, settings)
        if card is not None:
            (place / "README.md").write_text(card, encoding="utf-8")
    return target
