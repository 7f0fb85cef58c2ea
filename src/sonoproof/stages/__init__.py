"""The stages of a run. Each reads from the run folder, does one thing through one room, and writes to the folder."""

from sonoproof.stages.audit import audit, probe
from sonoproof.stages.calibrate import calibrate
from sonoproof.stages.cross_validate import cross_validate
from sonoproof.stages.evaluate import evaluate, report
from sonoproof.stages.explain import explain
from sonoproof.stages.fit import train
from sonoproof.stages.job import Inputs, Job
from sonoproof.stages.predict import predict
from sonoproof.stages.seeds import repeat_with_seeds
from sonoproof.stages.split import split

__all__ = [
    "Inputs", "Job", "audit", "calibrate", "cross_validate", "evaluate", "explain", "predict", "probe",
    "repeat_with_seeds", "report", "split", "train",
]  # fmt: skip
