"""When the model should say that it is not sure, with a guarantee for new groups.

References:
    Lee, Barber, Willett (2023), Distribution-free inference with hierarchical data, arXiv:2306.06342, section 3.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from sonoproof.evaluation.choosing.rows import CalibrationRows
from sonoproof.training.conformal import group_quantile
from sonoproof.training.verdict import Abstention


def choose_abstention(rows: CalibrationRows, *, error: float, chosen_on: str) -> Abstention:
    """Choose from when on a frame is answered, so that few frames of a new group are answered wrongly.

    Args:
        rows: Rows that had no part in training.
        error: Allowed share of wrong answers, between 0 and 1.
        chosen_on: Which rows these are, in words, for the record.
    """
    if rows.n_groups + 1 < 1 / error:
        return Abstention(chosen_on=f"not chosen: {rows.n_groups} groups cannot guarantee {error:.0%} wrong answers")
    guarantee = (
        f"at most {error:.0%} of the frames of a new group are answered wrongly, on average over groups, if new groups "
        "are exchangeable with those used for this choice, which were not used for training"
    )
    quantile = nonconformity_quantile(rows, error=error)
    return Abstention(error, quantile, guarantee, chosen_on, len(rows.logits), rows.n_groups)


def nonconformity_quantile(rows: CalibrationRows, *, error: float) -> float:
    """The largest nonconformity score, 1 - p(class), at which a class still belongs to the set of possible classes.

    With it, the set of a random row of a new group holds the row's class with probability at least 1 - `error`.

    Returns:
        Between 0 and 1; 1, which puts both classes in every set, if there are too few groups for `error`.
    """
    if not 0 < error < 1:
        raise ValueError(f"the error must lie between 0 and 1; it is {error}")
    scores = np.where(rows.targets, expit(-rows.logits), expit(rows.logits))
    quantile = group_quantile(scores, groups=rows.groups, error=error)
    return 1.0 if quantile is None else quantile
