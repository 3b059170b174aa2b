"""Owns the list of all good requests, those for programs, at pages, and of administrators, by name."""

from tests.oidc.fuzzing import administration, machines, pages
from tests.oidc.fuzzing.book import RECIPES

__all__ = ["RECIPES", "administration", "machines", "pages"]
