"""Every check that a reader of SAML messages can write has words and a proposed cure, in both languages. Read from the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.base.sections import Saml
from idp.domain.relying import ServiceProvider
from idp.resources import catalogue
from idp.upstream.saml_settings import SamlSettings

IDP = Path(__file__).parents[2] / "idp"
FOLDERS = ("saml", "protocols/saml", "upstream", "web", "services", "admin", "cli")
CODE = re.compile(r"[a-z][a-z_]*\Z")
NOT_CHECKS = ("refuse", "Refused")  # their codes are those of refusals


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for folder in FOLDERS:
        for file in sorted((IDP / folder).rglob("*.py")):
            if folder == "upstream" and "saml" not in file.name:
                continue  # the checks of other protocols: tests/upstream/test_check_words.py
            source = file.read_text()
            if folder.endswith("saml") or "Checks" in source or "checks." in source:
                yield file, ast.parse(source)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _takers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Functions and exceptions that take a code and pass it on, and where it stands among their arguments."""
    for node in ast.walk(tree):
        inits = [one for one in node.body if isinstance(one, ast.FunctionDef)] if isinstance(node, ast.ClassDef) else []
        for function, name in [(one, node.name) for one in inits if one.name == "__init__"] + (  # type: ignore[union-attr]
            [(node, node.name)] if isinstance(node, ast.FunctionDef) else []
        ):
            arguments = [one.arg for one in function.args.args if one.arg != "self"]
            if "code" in arguments and name not in (*NOT_CHECKS, "__init__"):
                yield name, arguments.index("code")


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_literals(node.body), *_literals(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _tables(tree: ast.Module) -> Iterator[str]:
    """`CHECKS = (("issuer", issuer), …)`."""
    for node in ast.walk(tree):
        rows = node.elts if isinstance(node, ast.Tuple) else []
        pairs = [row for row in rows if isinstance(row, ast.Tuple) and len(row.elts) == 2]
        if pairs and len(pairs) == len(rows) and all(isinstance(row.elts[1], ast.Name) for row in pairs):
            yield from (code for row in pairs for code in _literals(row.elts[0]))


def _codes() -> dict[str, str]:
    """Code -> a file that writes it."""
    takers = {"passed": 0, "failed": 0}
    for _, tree in _trees():
        takers |= dict(_takers(tree))
    found: dict[str, str] = {}
    for file, tree in _trees():
        place = str(file.relative_to(IDP))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        for call in calls:
            at = takers.get(_name(call.func))
            given = [one.value for one in call.keywords if one.arg == "code"]
            given += [call.args[at]] if at is not None and len(call.args) > at else []
            found |= {code: place for one in given for code in _literals(one) if at is not None}
        found |= dict.fromkeys(_tables(tree), place)
    return {code: place for code, place in found.items() if CODE.match(code)}


CODES = _codes()


def test_the_codes_are_found_in_the_source() -> None:
    known = {"schema", "signature", "issuer_known", "destination", "issue_instant", "acs", "audience", "recipient"}
    assert known | {"status", "decryption", "name_id", "subject_confirmation", "in_response_to"} <= set(CODES)


def test_whoever_writes_a_check_says_its_code_in_a_way_that_can_be_found() -> None:
    """A literal, or what is called `code` and comes from one."""
    strange = []
    for file, tree in _trees():
        for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
            if not (isinstance(call.func, ast.Attribute) and call.func.attr in ("passed", "failed") and call.args):
                continue
            if "check" not in ast.unparse(call.func.value):
                continue  # that an upstream, or a test of it, failed is no check
            code = call.args[0]
            if not list(_literals(code)) and _name(code) != "code":
                strange.append(f"{file.relative_to(IDP)}:{call.lineno}")
    assert strange == []


@pytest.mark.parametrize("code", sorted(CODES))
@pytest.mark.parametrize("language", ["en", "de"])
def test_it_has_words_and_a_cure(code: str, language: str) -> None:
    words = catalogue(language)
    assert words.get(f"saml_check.{code}"), f"{CODES[code]} writes {code!r}"
    assert len(words.get(f"saml_cure.{code}", "")) > 40, f"{CODES[code]} writes {code!r}"
    assert "{" not in words[f"saml_check.{code}"] + words[f"saml_cure.{code}"]


def test_no_words_are_kept_for_checks_that_nobody_makes() -> None:
    for section in ("saml_check", "saml_cure"):
        known = {key.partition(".")[2] for key in catalogue("en") if key.startswith(f"{section}.")}
        assert known == set(CODES)


def test_settings_that_a_cure_names_exist() -> None:
    known = {*ServiceProvider.__dataclass_fields__, *SamlSettings.model_fields}
    known |= {f"saml.{name}" for name in Saml.model_fields}
    for language in ("en", "de"):
        for key, words in catalogue(language).items():
            if key.startswith("saml_cure."):
                named = set(re.findall(r"(?<![\w/.])(?:saml\.)?[a-z]+(?:_[a-z]+)+(?!\w)", words))
                assert (key, named - known) == (key, set())
