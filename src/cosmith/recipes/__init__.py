"""Recipes: which steps to take from text to a better model, in one YAML file, and the runner that takes them."""

from __future__ import annotations

from cosmith.recipes.document import Document, parse_document, read_document
from cosmith.recipes.following import is_follower
from cosmith.recipes.loading import LoadedRecipe, built_in_recipes, find_recipe, load_recipe
from cosmith.recipes.overrides import AsTyped, parse_override
from cosmith.recipes.runner import Listener, StageEvent, run_recipe
from cosmith.recipes.schema import STAGE_KINDS, Recipe, Stage
from cosmith.recipes.trained_on import ModelContamination, TaskContamination, check_contamination

__all__ = [
    "STAGE_KINDS",
    "AsTyped",
    "Document",
    "Listener",
    "LoadedRecipe",
    "ModelContamination",
    "Recipe",
    "Stage",
    "StageEvent",
    "TaskContamination",
    "built_in_recipes",
    "check_contamination",
    "find_recipe",
    "is_follower",
    "load_recipe",
    "parse_document",
    "parse_override",
    "read_document",
    "run_recipe",
]
