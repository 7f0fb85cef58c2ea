"""Which frames are explained: the most confident right ones and the worst errors, each from another group."""

from __future__ import annotations

import numpy as np
import pandas as pd


def select_frames(predictions: pd.DataFrame, *, positive: str, top: int, errors: int) -> pd.DataFrame:
    """Choose frames to explain.

    ``top`` frames are the most confident of either class and, where the label is known, right; if all of them are of
    one predicted class and the other class has a frame to show, the last one gives way to it. ``error`` frames are
    wrong, the most confident first. Within a kind every frame is of another group, so that one patient or clip does
    not fill the page. Fewer come back where there are fewer groups.

    Args:
        predictions: Table with ``image_id``, ``group``, ``label`` ("" where unknown), ``logit`` (of the positive
            class) and ``predicted``.
        positive: Name of the positive class.
        top: Number of top frames.
        errors: Number of errors.

    Returns:
        Columns ``image_id``, ``kind`` (``top`` or ``error``) and ``rank`` (from 1), in that order of kinds.
    """
    logit = predictions["logit"].astype(float)
    table = predictions.assign(
        # Far from the threshold many probabilities round to 0 or 1; the logit still tells them apart.
        confidence=logit.where(predictions["predicted"] == positive, -logit),
        # A frame without a group stands for itself.
        group=predictions["group"].where(predictions["group"] != "", "image:" + predictions["image_id"]),
    )
    table = table[np.isfinite(table["confidence"])]
    table = table.sort_values(["confidence", "image_id"], ascending=[False, True], kind="stable")
    known = table["label"] != ""
    right = table["label"] == table["predicted"]
    chosen_top = _with_both_classes(table[right | ~known], top)
    chosen_errors = _one_per_group(table[known & ~right], errors)
    return pd.concat([_ranked(chosen_top, "top"), _ranked(chosen_errors, "error")], ignore_index=True)


def _one_per_group(table: pd.DataFrame, number: int) -> pd.DataFrame:
    return table.drop_duplicates("group").head(number)


def _with_both_classes(table: pd.DataFrame, number: int) -> pd.DataFrame:
    chosen = _one_per_group(table, number)
    if number < 2 or chosen["predicted"].nunique() != 1:
        return chosen
    others = table[table["predicted"] != chosen["predicted"].iloc[0]]
    kept = chosen.head(number - 1)
    others = others[~others["group"].isin(kept["group"])]
    return pd.concat([kept, others.head(1)]) if len(others) else chosen


def _ranked(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    return pd.DataFrame({"image_id": table["image_id"].to_numpy(), "kind": kind, "rank": np.arange(1, len(table) + 1)})
