"""What is imported is declared, what is declared is imported, and what is optional stays where it belongs."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.shared import ROOT

SOURCES = sorted((ROOT / "src" / "sonoproof").rglob("*.py"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = {k: v for k, v in PROJECT["optional-dependencies"].items() if k != "dev"}


def names(requirements: list[str]) -> set[str]:
    """Distributions of a list of requirements, without this project's own extras."""
    found = {normal(re.split(r"[^\w.-]", requirement)[0]) for requirement in requirements}
    return found - {PROJECT["name"]}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


REQUIRED = names(PROJECT["dependencies"])
OPTIONAL = names([requirement for extra in EXTRAS.values() for requirement in extra])


def imported(source: str) -> Iterator[str]:
    """Top-level packages that a module imports, inside of functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.fixture(scope="module")
def uses() -> dict[str, set[str]]:
    """Files by the package that they import, without the standard library and ourselves."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for package in imported(path.read_text(encoding="utf-8")):
            if package not in sys.stdlib_module_names and package != PROJECT["name"]:
                found.setdefault(package, set()).add(path.relative_to(ROOT / "src" / "sonoproof").as_posix())
    return found


@pytest.fixture(scope="module")
def distributions() -> dict[str, set[str]]:
    """Distributions by the package that they install."""
    return {k: {normal(name) for name in v} for k, v in importlib.metadata.packages_distributions().items()}


def test_what_is_imported_is_declared(uses: dict[str, set[str]], distributions: dict[str, set[str]]) -> None:
    declared = REQUIRED | OPTIONAL
    undeclared = {package: files for package, files in uses.items() if not distributions.get(package, set()) & declared}
    assert undeclared == {}


def test_what_is_declared_is_imported(uses: dict[str, set[str]], distributions: dict[str, set[str]]) -> None:
    used = {name for package in uses for name in distributions.get(package, set())}
    assert (REQUIRED | OPTIONAL) - used == set()


def test_what_is_optional_is_imported_by_inference_alone(
    uses: dict[str, set[str]], distributions: dict[str, set[str]]
) -> None:
    users = {
        package: {file for file in files if not file.startswith("inference/")}
        for package, files in uses.items()
        if distributions.get(package, set()) & OPTIONAL
    }
    assert set(users) >= {"onnx", "onnxruntime", "openvino", "pyarrow"}
    assert {package: files for package, files in users.items() if files} == {}


def test_imports_are_found_wherever_they_are_written() -> None:
    source = "import a.b, c\nfrom d.e import f\nfrom . import g\ndef h():\n    from i import j\n"
    assert sorted(imported(source)) == ["a", "c", "d", "i"]
    assert names(["Scikit_Learn>=1.5", "sonoproof[export]", "onnx"]) == {"scikit-learn", "onnx"}
