"""Recipes in files: what a search has found, for the trainings to come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ldctlib.denoisers import Recipe
from ldctlib.files import write_text


def recipe_facts(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON has it.

    >>> recipe_facts(Recipe(1e-3, 8, 64, 100))["betas"]
    [0.9, 0.999]
    """
    facts = {part.name: getattr(recipe, part.name) for part in fields(recipe)}
    plain: dict[str, Any] = json.loads(json.dumps({**facts, "options": dict(recipe.options)}))
    return plain


def recipe_of(facts: Mapping[str, Any]) -> Recipe:
    """The recipe that `recipe_facts` describes.

    >>> recipe_of(recipe_facts(Recipe(1e-3, 8, 64, 100))).betas
    (0.9, 0.999)
    """
    first, second = facts["betas"]
    return Recipe(**{**facts, "betas": (first, second)})


def write_recipe(method: str, recipe: Recipe, path: Path) -> None:
    """Write the recipe of a method as JSON."""
    write_text(path, json.dumps({"method": method, **recipe_facts(recipe)}, indent=1))


def read_recipe(path: Path) -> tuple[str, Recipe]:
    """Name of the method and recipe, as `write_recipe` wrote them.

    Raises:
        ValueError: the file is something else.
    """
    try:
        facts = json.loads(path.read_text("utf-8"))
        return facts.pop("method"), recipe_of(facts)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no recipe; ldct search writes them.") from error
