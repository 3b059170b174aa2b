"""Owns the book of good requests: each file of recipes writes its own into it."""

from collections.abc import Callable

from tests.oidc.fuzzing.wire import Ask
from tests.oidc.fuzzing.world import World

Recipe = Callable[[World], Ask]
RECIPES: dict[str, Recipe] = {}


def recipe(function: Recipe) -> Recipe:
    RECIPES[function.__name__] = function
    return function
