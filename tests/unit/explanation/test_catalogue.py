"""A method is entered in the catalogue, and everything else follows from that."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import get_args, get_type_hints

import pytest

from sonoproof.config import ExplainConfig
from sonoproof.explanation.baselines import BASELINES
from sonoproof.explanation.catalogue import METHODS


@pytest.mark.parametrize(("setting", "names"), [("methods", METHODS), ("baselines", BASELINES)])
def test_the_settings_permit_what_is_registered(setting: str, names: dict[str, object]) -> None:
    words, _ = get_args(get_type_hints(ExplainConfig)[setting])
    assert get_args(words) == tuple(names)


def test_each_method_has_a_function_of_its_own() -> None:
    functions = [resolve_name(method.function) for method in METHODS.values()]
    assert all(callable(function) for function in functions)
    assert len(set(functions)) == len(METHODS)
