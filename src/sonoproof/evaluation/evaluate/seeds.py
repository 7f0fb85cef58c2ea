"""How much the metrics depend on the seed of the training: each metric of each seed, their mean, SD and range.

The spread between seeds is that of the training alone, as the rows are the same. It is no interval for new patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sonoproof.classes import Classes
from sonoproof.config import EvaluateConfig
from sonoproof.errors import RunFolderError
from sonoproof.evaluation.evaluate.part import LabelledPart
from sonoproof.evaluation.metrics.metrics import METRICS
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, read_json, read_table, write_json, write_table

SEED_COLUMNS = ("part", "metric", "label", "mean", "sd", "lowest", "highest", "n_seeds", "positive_class")
# Facts of a training that differ between seeds.
_OF_THE_SEED = ("seed", "epoch_chosen")


def evaluate_seeds(
    run: RunFolder, *, seeds: Sequence[int], parts: Sequence[str], config: EvaluateConfig
) -> dict[str, Any] | None:
    """Write ``evaluation/seeds.json`` and ``seeds.csv``; with one seed remove them.

    Args:
        run: The run folder with the predictions of each seed.
        seeds: The seeds; the first is that of the run's own predictions.
        parts: Parts that are labelled.
        config: The threshold of rows that have none.

    Returns:
        The content of the JSON file, or None with one seed.

    Raises:
        RunFolderError: The predictions of a seed are missing, are of other rows, or of another training.
    """
    if len(seeds) < 2:
        for path in (run.seeds, run.seeds.with_suffix(".csv")):
            path.unlink(missing_ok=True)
        return None
    runs = {seed: run if seed == seeds[0] else run.with_seed(seed) for seed in seeds}
    for seed, other in runs.items():
        _check_same_training(run, other, seed=seed)
    classes = Classes.from_dict(read_json(run.cohort, schema="cohort")["classes"])
    content = {
        "seeds": list(seeds),
        "reported_seed": seeds[0],
        "positive_class": classes.positive,
        "parts": {part: _part(run, part, runs=runs, classes=classes, config=config) for part in parts},
    }
    write_json(run.seeds, content, schema="seeds")
    write_table(run.seeds.with_suffix(".csv"), _table(content), columns=SEED_COLUMNS)
    return content


def spread(values: npt.ArrayLike) -> dict[str, Any]:
    """Mean, standard deviation (n - 1 in the denominator), lowest and highest of the values that are defined.

    Args:
        values: A metric for each seed, shape (S,); NaN if undefined.

    Returns:
        The values and ``mean``, ``sd``, ``lowest``, ``highest`` and ``n_seeds``; NaN if there are too few values.
    """
    every = np.asarray(values, dtype=np.float64)
    defined = every[np.isfinite(every)]
    return {
        "values": every.tolist(),
        "mean": float(defined.mean()) if len(defined) else float("nan"),
        "sd": float(defined.std(ddof=1)) if len(defined) > 1 else float("nan"),
        "lowest": float(defined.min()) if len(defined) else float("nan"),
        "highest": float(defined.max()) if len(defined) else float("nan"),
        "n_seeds": len(defined),
    }


def _part(
    run: RunFolder, part: str, *, runs: dict[int, RunFolder], classes: Classes, config: EvaluateConfig
) -> dict[str, Any]:
    paths = [other.predictions(part) for other in runs.values()]
    tables = [read_table(path, columns=PREDICTION_COLUMNS) for path in paths]
    parts = [LabelledPart.from_predictions(table, classes=classes, config=config) for table in tables]
    for path, other in zip(paths, parts, strict=True):
        if set(other.table["image_id"]) != set(parts[0].table["image_id"]):
            raise RunFolderError(f"{path}: its rows are not those of {run.predictions(part)}")
    rows = [of_seed.rows for of_seed in parts]
    return {
        "n": rows[0].n,
        "files": [run.relative(path) for path in paths],
        "metrics": {name: spread([float(metric(of_seed)) for of_seed in rows]) for name, metric in METRICS.items()},
    }


def _check_same_training(run: RunFolder, other: RunFolder, *, seed: int) -> None:
    """The trainings must differ in nothing but the seed, or their spread is not that of the seed."""
    remedy = "continue with `sonoproof run ... --resume`, or leave the seeds out with --set fit.seeds=1"
    if not (other.model / "model.json").is_file():
        raise RunFolderError(f"{other.root}: there is no training with the seed {seed}; {remedy}")
    if _training(other) != _training(run) | {"seed": seed}:
        raise RunFolderError(
            f"{other.root}: is not a training with the seed {seed} and otherwise the model's settings; {remedy}"
        )


def _training(run: RunFolder) -> dict[str, Any]:
    """How a model was trained: the seed, and what does not depend on it."""
    content = read_json(run.model / "model.json", schema="model")
    facts = dict(content["training"])
    same = {name: value for name, value in facts.items() if name not in _OF_THE_SEED}
    return {**same, "cohort_sha256": content["cohort_sha256"], "seed": facts["seed"]}


def _table(content: dict[str, Any]) -> pd.DataFrame:
    """One row per part and metric; one column per seed after the fixed ones."""
    rows = [
        {
            "part": part,
            "metric": name,
            "label": METRICS[name].label,
            **{key: value for key, value in found.items() if key != "values"},
            "positive_class": content["positive_class"],
            **{f"seed_{seed}": value for seed, value in zip(content["seeds"], found["values"], strict=True)},
        }
        for part, facts in content["parts"].items()
        for name, found in facts["metrics"].items()
    ]
    return pd.DataFrame(rows)
