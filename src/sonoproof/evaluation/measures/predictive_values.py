"""Predictive values where the disease is rarer or commoner than in the sample."""

from __future__ import annotations

from sonoproof.errors import ConfigError
from sonoproof.evaluation.metrics.metrics import Metric, divide
from sonoproof.evaluation.scores.rows import Totals
from sonoproof.types import FloatArray


def predictive_value_metrics(prevalence: float) -> dict[str, Metric]:
    """PPV and NPV where a share `prevalence` of cases is positive, by Bayes' rule from sensitivity and specificity.

    Args:
        prevalence: Between 0 and 1, both excluded.

    Returns:
        ``ppv`` and ``npv``, for `metric_intervals`.
    """
    if not 0 < prevalence < 1:
        raise ConfigError(f"a prevalence must lie between 0 and 1; it is {prevalence}")

    def ppv(t: Totals) -> FloatArray:
        true, false = prevalence * divide(t.tp, t.positive), (1 - prevalence) * divide(t.fp, t.negative)
        return divide(true, true + false)

    def npv(t: Totals) -> FloatArray:
        true, false = (1 - prevalence) * divide(t.tn, t.negative), prevalence * divide(t.fn, t.positive)
        return divide(true, true + false)

    where, both = f"at a prevalence of {100 * prevalence:g} %", ("positive", "negative")
    metrics = (
        Metric("ppv", f"Positive predictive value {where}", needs=(*both, "predicted positive"), of_totals=ppv),
        Metric("npv", f"Negative predictive value {where}", needs=(*both, "predicted negative"), of_totals=npv),
    )
    return {metric.name: metric for metric in metrics}
