"""The stages of a run. Each reads from the run folder, does one thing through one room, and writes to the folder."""

from sonoproof.stages.data import audit, probe
from sonoproof.stages.decision import calibrate
from sonoproof.stages.explaining import explain
from sonoproof.stages.folds import cross_validate
from sonoproof.stages.job import Inputs, Job
from sonoproof.stages.learning import train
from sonoproof.stages.outcome import evaluate, report
from sonoproof.stages.predicting import predict
from sonoproof.stages.seeds import repeat_with_seeds
from sonoproof.stages.splitting import split

__all__ = [
    "Inputs", "Job", "audit", "calibrate", "cross_validate", "evaluate", "explain", "predict", "probe",
    "repeat_with_seeds", "report", "split", "train",
]  # fmt: skip
