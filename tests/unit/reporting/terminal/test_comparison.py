"""What ``sonoproof compare`` prints of two runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from sonoproof.config import Config, override, to_toml
from sonoproof.errors import RunFolderError
from sonoproof.reporting.terminal.comparison import comparison_lines
from sonoproof.runfolder import PREDICTION_COLUMNS, RunFolder, write_json, write_table, write_text

N = 120


def written(root: Path, *, seed: int, skill: float, rows_a_group: int) -> Path:
    run, rng = RunFolder(root), np.random.default_rng(seed)
    target = (np.arange(N) // rows_a_group % 2).astype(float)
    logit = rng.normal(0, 1, N) + skill * (target - 0.5)
    table = pd.DataFrame(
        {
            "image_id": [f"{k:03}.png" for k in range(N)],
            "path": "",
            "group": [f"g{k // rows_a_group}" for k in range(N)],
            "source": "",
            "label": np.where(target == 1, "unhealthy", "healthy"),
            "target": target,
            "logit": logit,
            "probability": expit(logit),
            "predicted": np.where(logit >= 0, "unhealthy", "healthy"),
        }
    )
    write_table(run.predictions("val"), table, columns=PREDICTION_COLUMNS)
    write_json(run.manifest, {}, schema="manifest")
    write_json(run.cohort, {"classes": {"negative": "healthy", "positive": "unhealthy"}}, schema="cohort")
    write_text(run.config, to_toml(override(Config(), {"evaluate": {"resamples": 300}}, origin="test")))
    return root


@pytest.mark.parametrize("rows_a_group", [1, 4])
def test_a_clear_difference_is_printed_with_its_interval_and_delong_only_for_independent_rows(
    tmp_path: Path, rows_a_group: int
) -> None:
    folders = [
        written(tmp_path / name, seed=seed, skill=skill, rows_a_group=rows_a_group)
        for name, seed, skill in (("good", 1, 3.0), ("poor", 2, 0.2))
    ]
    lines = comparison_lines(folders, part="val")
    text = "\n".join(lines)
    assert f"{N} rows of {N // rows_a_group} groups; positive class unhealthy" in text
    assert "300 resamples of whole groups" in text
    assert "Holm over the 1 pairs" in text
    area = next(line for line in lines if line.startswith("  Area under the ROC curve  "))
    difference, low = (float(part.strip("(")) for part in area.split()[5:7])
    assert 0 < low < difference
    independent = [line for line in lines if "Area under the ROC curve, DeLong" in line]
    assert len(independent) == (1 if rows_a_group == 1 else 0)
    assert ("takes rows as independent: 120 rows come from 30 units" in text) == (rows_a_group == 4)


def test_one_run_is_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="two or more"):
        comparison_lines([tmp_path, tmp_path], part="val")
