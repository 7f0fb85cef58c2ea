"""Logistic regression with errors that allow for groups, for calibration: one or two coefficients.

References:
    Liang, Zeger (1986), Longitudinal data analysis using generalized linear models, Biometrika 73:13 (sandwich).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

FloatArray = npt.NDArray[np.float64]


def fit_logistic(
    design: FloatArray,
    *,
    targets: FloatArray,
    bounds: list[tuple[float, float]],
    offset: FloatArray | float = 0.0,
    weights: FloatArray | float = 1.0,
) -> FloatArray:
    """Coefficients of the highest likelihood within `bounds`.

    Args:
        design: Shape (N, K).
        targets: Between 0 and 1, shape (N,).
        bounds: Lowest and highest value of each coefficient, K pairs.
        offset: Added to the linear predictor, shape (N,).
        weights: Weight of each row, shape (N,), or one number for all.

    Returns:
        Shape (K,).
    """
    relative = weights / np.mean(weights)

    def loss(coefficients: FloatArray) -> float:
        predictor = design @ coefficients + offset
        return float(np.mean(relative * (np.logaddexp(0, predictor) - targets * predictor)))

    def gradient(coefficients: FloatArray) -> FloatArray:
        residuals = expit(design @ coefficients + offset) - targets
        return np.asarray(design.T @ (relative * residuals) / len(targets), dtype=np.float64)

    start = np.array([np.clip(1.0 if k == 0 else 0.0, *bound) for k, bound in enumerate(bounds)])
    found = minimize(
        loss,
        start,
        jac=gradient,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500},
    )
    return np.asarray(found.x, dtype=np.float64)


def cluster_covariance(
    design: FloatArray,
    *,
    targets: FloatArray,
    coefficients: FloatArray,
    group_of_row: npt.NDArray[np.intp],
    offset: FloatArray | float = 0.0,
    weights: FloatArray | float = 1.0,
) -> FloatArray:
    """Covariance of the coefficients where rows of one group depend on each other.

    The sandwich H⁻¹ (Σ s sᵀ) H⁻¹ G / (G − 1) of the groups' scores s and the information H.

    Args:
        design: Shape (N, K).
        targets: Shape (N,).
        coefficients: Fitted, shape (K,).
        group_of_row: Index of the group of each row, shape (N,).
        offset: As in the fit.
        weights: As in the fit, shape (N,).

    Returns:
        Shape (K, K).
    """
    chance = expit(design @ coefficients + offset)
    residuals = design * (weights * (targets - chance))[:, None]
    n_groups = int(group_of_row.max()) + 1
    scores = np.column_stack([np.bincount(group_of_row, weights=c, minlength=n_groups) for c in residuals.T])
    bread = np.linalg.inv((design * (weights * chance * (1 - chance))[:, None]).T @ design)
    sandwich = bread @ (scores.T @ scores) @ bread
    return np.asarray(sandwich * n_groups / (n_groups - 1), dtype=np.float64)
