"""Settings: what is read, what is refused, and what is written back."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest

from sonoproof.config import TABLES, Config, ExplainConfig, FitConfig, load_config, override, settings_of, to_toml
from sonoproof.errors import ConfigError
from sonoproof.explanation.baselines import BASELINES
from sonoproof.explanation.catalogue import METHODS

OLD = Path(__file__).parent / "old_config.toml"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    settings = ["seed=3", "fit.seed=4", "split.test=0.1", 'sheet.group_columns=["a", "b"]', "fit.weight_decay=0"]
    title = '\x7fÄ \\ "b"'
    config = override(load_config(settings=settings), {"report": {"title": title}}, origin="test")
    (tmp_path / "config.toml").write_text(to_toml(config), encoding="utf-8")
    assert load_config(tmp_path / "config.toml") == config
    assert config.report.title == title


def test_what_is_left_open_is_named_in_the_file() -> None:
    lines = to_toml(Config()).splitlines()
    assert "# test: not set" in lines
    assert "seed = 0" in lines


def test_every_default_is_allowed() -> None:
    config = Config()
    for name in TABLES:
        table = getattr(config, name)
        values = {key: getattr(table, key) for key in settings_of(type(table))}
        assert override(config, {name: values}, origin="defaults") == config


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("fit.epochs=10001", "fit.epochs must be between 1 and 10,000, not 10001"),
        ("fit.epochs=-1", "between 1 and 10,000"),
        ("fit.epochs=2.5", "a whole number"),
        ("fit.epochs=true", "a whole number"),
        ("fit.epochs=false", "a whole number"),
        ("fit.flip=1", "true or false"),
        ("fit.zoom=nan", "between 0 and 0.9"),
        ("fit.zoom=inf", "between 0 and 0.9"),
        ("split.val=lots", "a number"),
        ("seed=-1", "seed must be at least 0"),
        ("split.seed=-1", "split.seed must be at least 0"),
        ("fit.recipe=modern", "must be one of default, varied, classic, features, not 'modern'"),
        ("fit.epoch=3", "did you mean 'epochs'"),
        ("fti.epochs=3", "did you mean 'fit'"),
        ("sede=3", "table.key=value"),
        ("fit=3", "table.key=value"),
        ("fit.=3", "table.key=value"),
        (".epochs=3", "table.key=value"),
        ("fit.epochs", "table.key=value"),
        ("explain.methods=salience", "did you mean 'saliency'"),
        ("explain.methods=[]", "at least one of saliency"),
        ('explain.baselines=["blur", "blur"]', "none of them twice"),
        ("sheet.group_columns=[1]", "a list of strings"),
        ("fit.run_seed=3", "has no setting 'run_seed'"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(setting: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(settings=[setting])
    assert f"--set {setting}: " in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("values", [{"fit": 3}, {"fti": {}}, {"seed": {"a": 1}}])
def test_a_file_of_another_shape_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^here: "):
        override(Config(), values, origin="here")


def test_values_take_the_type_of_their_setting() -> None:
    config = load_config(settings=["split.val=1e-1", "fit.zoom=0", "sheet.positive=1", "sheet.group_columns=patient"])
    assert (config.split.val, config.sheet.positive, config.sheet.group_columns) == (0.1, "1", ("patient",))
    assert type(config.fit.zoom) is float


def test_an_empty_value_leaves_the_decision_open_again() -> None:
    config = load_config(settings=["split.test=0.3", "sheet.positive=b", "split.test=", "sheet.positive="])
    assert config == Config()


def test_files_of_earlier_versions_mean_the_same() -> None:
    config = load_config(OLD)
    assert config == Config(seed=5)
    assert {config.fit.effective_seed, config.split.effective_seed, config.evaluate.effective_seed} == {5}


def test_different_seeds_of_an_earlier_file_are_kept(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(OLD.read_text().replace("seed = 5", "seed = 6", 1))
    config = load_config(tmp_path / "old.toml")
    assert (config.seed, config.split.seed, config.fit.seed, config.evaluate.seed) == (5, 6, None, None)


class TestSeeds:
    def test_a_stage_follows_the_run_unless_it_names_its_own(self) -> None:
        config = load_config(settings=["fit.seed=2", "seed=9"])
        seeds = (config.split.effective_seed, config.fit.effective_seed, config.evaluate.effective_seed)
        assert seeds == (9, 2, 9)
        assert override(config, {"seed": 1}, origin="test").evaluate.effective_seed == 1
        assert override(config, {"fit": {"seed": ""}}, origin="test").fit.effective_seed == 9

    def test_replacing_other_settings_keeps_it(self) -> None:
        assert dataclasses.replace(Config(seed=4).fit, epochs=2).effective_seed == 4

    def test_further_seeds_count_from_it(self) -> None:
        assert load_config(settings=["seed=4", "fit.seeds=3"]).fit.every_seed == (4, 5, 6)

    def test_what_a_stage_depends_on_holds_the_seed_that_it_uses(self) -> None:
        named, followed = load_config(settings=["fit.seed=7", "seed=1"]), Config(seed=7)
        assert named.effective("fit") == followed.effective("fit")
        assert named.effective("split") != followed.effective("split")
        assert set(Config().effective("fit")) == set(settings_of(FitConfig))


def test_the_words_are_those_that_are_registered() -> None:
    words = {
        key: set(get_args(get_args(hint)[0]))
        for key, hint in settings_of(ExplainConfig).items()
        if key in ("methods", "baselines")
    }
    assert words["methods"] == set(METHODS)
    assert words["baselines"] == set(BASELINES)


def test_every_number_has_a_range() -> None:
    hints = {
        f"{name}.{key}": hint for name in TABLES for key, hint in settings_of(get_type_hints(Config)[name]).items()
    }
    numbers = (int, float, int | None, float | None)
    assert [name for name, hint in hints.items() if hint in numbers] == []
    assert sum(get_origin(hint) is Annotated for hint in hints.values()) > 30
