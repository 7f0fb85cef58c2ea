"""The public names of the package: none appears, vanishes or changes its signature without notice."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import sonoproof as sp
from sonoproof import errors

SNAPSHOT = Path(__file__).with_name("public_names.json")


def described(value: object) -> object:
    """A function's signature; a class's own, and those of its public members."""
    if inspect.isclass(value) and issubclass(value, Exception):
        return [base.__name__ for base in value.__bases__]
    if not inspect.isclass(value):
        return str(inspect.signature(value)) if callable(value) else type(value).__name__
    members = {name: member for name, member in vars(value).items() if not name.startswith("_")}
    kinds = {n: str(inspect.signature(m)) if inspect.isfunction(m) else "attribute" for n, m in members.items()}
    return {"": str(inspect.signature(value)), **dict(sorted(kinds.items()))}


def test_names_and_signatures_are_those_of_the_snapshot() -> None:
    """After a change that is meant, and is in CHANGELOG.md: python tests/unit/api/test_public_names.py."""
    found = {name: described(getattr(sp, name)) for name in sp.__all__}
    assert found == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(sp.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert seen == sp._HOME


def test_every_error_is_public() -> None:
    tree = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert tree <= set(sp.__all__)


def test_the_import_is_light_and_changes_nothing() -> None:
    script = (
        "import sys, time, random, threading, warnings, logging, os\n"
        "before = random.getstate(), dict(os.environ), list(warnings.filters), logging.root.handlers[:]\n"
        "known, began = set(sys.modules), time.process_time()\n"
        "import sonoproof as sp\n"
        "spent = time.process_time() - began\n"
        "assert before == (random.getstate(), dict(os.environ), list(warnings.filters), logging.root.handlers[:])\n"
        "assert threading.active_count() == 1\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - known} - {'sonoproof'}\n"
        "assert not new - set(sys.stdlib_module_names), new\n"
        "assert {n for n in sys.modules if n.startswith('sonoproof')} == {'sonoproof'}\n"
        "assert 'metrics' in dir(sp) and issubclass(sp.ScoreError, ValueError)\n"
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules\n"
        "assert spent < 0.2, spent\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_package_says_that_it_is_typed() -> None:
    assert (files("sonoproof") / "py.typed").is_file()


if __name__ == "__main__":
    names = {name: described(getattr(sp, name)) for name in sp.__all__}
    SNAPSHOT.write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
