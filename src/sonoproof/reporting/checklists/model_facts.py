"""Facts about the model: what it is, how it was trained, how its output becomes an answer."""

from __future__ import annotations

from sonoproof.reporting.checklists.data_facts import preprocessing
from sonoproof.reporting.checklists.facts import CONFIG, DECISION, MODEL, Facts
from sonoproof.reporting.page.runfiles import RunFiles
from sonoproof.types import Json
from sonoproof.wording import humanise

__all__ = ["fact"]

fact = Facts()


@fact("goal", "cohort.json", MODEL)
def _goal(files: RunFiles) -> str | None:
    if not files.model or not files.evaluated:
        return None
    negative, positive = files.class_names
    return f"Development and evaluation of a model that tells frames labelled “{positive}” from “{negative}”."


@fact("architecture", MODEL, "report.html#training")
def _architecture(files: RunFiles) -> str | None:
    architecture = files.model.get("architecture")
    if not architecture:
        return None
    kind = (architecture.get("transformers_config") or {}).get("model_type", "network")
    output = f"one output, the logit of “{files.class_names[1]}”"
    return f"{kind}: {architecture.get('origin')}; {output}. All layers are described in the file."


@fact("input", MODEL)
def _input(files: RunFiles) -> str | None:
    found = preprocessing(files)
    return f"The pixels of one frame, nothing else. {found}" if found else None


@fact("software", "manifest.json")
def _software(files: RunFiles) -> str | None:
    listed = ", ".join(f"{name} {version}" for name, version in (files.manifest.get("versions") or {}).items())
    return f"Sonoproof {files.manifest.get('sonoproof')}; {listed}." if listed else None


@fact("initialisation", MODEL)
def _initialisation(files: RunFiles) -> str | None:
    architecture = files.model.get("architecture") or {}
    if "origin" not in architecture:
        return None
    kind = "Pretrained weights" if architecture.get("pretrained") else "Random weights"
    seed = (files.model.get("training") or {}).get("seed")
    return f"{kind}: {architecture['origin']}; seed {seed}."


@fact("training", MODEL, CONFIG, "history.csv")
def _training(files: RunFiles) -> str | None:
    training = files.model.get("training")
    if not training:
        return None
    told = {key.replace("_", " "): humanise(value) for key, value in training.items() if key != "members"}
    settings = "; ".join(f"{key} {value}" for key, value in told.items())
    return f"{settings}. Augmentation and all other settings are in {CONFIG}."


@fact("selection", MODEL, "history.csv")
def _selection(files: RunFiles) -> str | None:
    training = files.model.get("training") or {}
    if "epoch_chosen" not in training:
        return None
    where = {"stop": "rows set aside from the fit part", "val": "the validation rows"}
    chosen = where.get(str(training.get("chosen_on")), str(training.get("chosen_on")))
    if files.model.get("members"):
        chosen = "rows set aside from what each member learned from"
    epochs = training["epoch_chosen"]
    kept = f"epochs {humanise(epochs)}, one per member" if isinstance(epochs, list) else f"epoch {epochs}"
    return f"The checkpoint of {kept}, chosen by {training.get('monitor')} on {chosen}."


@fact("ensemble", MODEL, "split.csv")
def _ensemble(files: RunFiles) -> str | None:
    if not files.model:
        return None
    if not files.model.get("members"):
        return "None: a single network."
    return (
        f"The mean of the logits of {files.model['members']} networks of the same architecture, each trained on the "
        "fit part without one of its folds."
    )


@fact("imbalance", MODEL, DECISION)
def _imbalance(files: RunFiles) -> str | None:
    balanced = (files.model.get("training") or {}).get("balanced")
    if balanced is None:
        return None
    weights = "Both classes have equal weight in the loss" if balanced else "Not treated: every row has equal weight"
    return f"{weights}. {_recalibration(files.model)}"


@fact("updating", DECISION)
def _updating(files: RunFiles) -> str | None:
    return _recalibration(files.model) if files.model.get("calibration") else None


@fact("threshold", DECISION)
def _threshold(files: RunFiles) -> str | None:
    point = files.model.get("operating_point")
    if not point:
        return None
    return (
        f"The probability of “{files.class_names[1]}”; a frame is called so if it is at least {point['threshold']:.3g} "
        f"(policy {point.get('policy')}, {point.get('chosen_on')})."
    )


@fact("indeterminate", DECISION)
def _indeterminate(files: RunFiles) -> str | None:
    found = files.model.get("abstention")
    if not found:
        return None
    return f"The model may answer that it is not sure: {found['guarantee']} (chosen on: {found['chosen_on']})."


def _recalibration(model: Json) -> str:
    calibration = model.get("calibration") or {}
    if calibration.get("method", "none") == "none":
        return "The probabilities were not recalibrated."
    return f"The probabilities were recalibrated ({calibration['method']}), chosen on: {calibration.get('chosen_on')}."
