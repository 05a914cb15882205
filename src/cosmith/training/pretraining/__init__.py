"""Continued pre-training: a backbone learns the language of a corpus before it learns what belongs together."""

from cosmith.training.pretraining.masked_language import MaskedLanguageJob, pretrain, pretrain_with_result
from cosmith.training.pretraining.masking import MaskedTokens, mask_tokens
from cosmith.training.pretraining.objective import has_words_of_its_own

__all__ = [
    "MaskedLanguageJob",
    "MaskedTokens",
    "has_words_of_its_own",
    "mask_tokens",
    "pretrain",
    "pretrain_with_result",
]
