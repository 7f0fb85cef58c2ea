"""The phantom: simulated transvaginal ultrasound of ovaries, with known ground truth.

It writes a cohort to disk like any other data set.
"""

from sonoproof.phantom.settings import PhantomCohort, PhantomConfig
from sonoproof.phantom.writer import write_cohort

__all__ = ["PhantomCohort", "PhantomConfig", "write_cohort"]
