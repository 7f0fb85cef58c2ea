"""What a run can say to an item of a checklist. Each answer is read from files of the run, and names them.

A function returns None where the files do not say it: the item then stays with the authors. Nothing is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sonoproof.reporting.checklists.answer import Answer
from sonoproof.reporting.checklists.facts import MEASURED
from sonoproof.reporting.page.evidence import Evidence
from sonoproof.reporting.sections.cohort import PART_TITLES, with_labels
from sonoproof.reporting.sections.limits import limits
from sonoproof.reporting.wording.tables import reason_counts
from sonoproof.wording import counted, humanise

__all__ = ["ANSWERS", "Answer"]

_MODEL, _CONFIG = "model/model.json", "config.toml"


def _technology(evidence: Evidence) -> Answer | None:
    origin = (evidence.model.get("architecture") or {}).get("origin")
    return Answer(f"Deep learning: an image classifier of two classes ({origin}).", (_MODEL,)) if origin else None


def _goal(evidence: Evidence) -> Answer | None:
    if not evidence.model or not evidence.evaluated:
        return None
    negative, positive = evidence.class_names
    text = f"Development and evaluation of a model that tells frames labelled “{positive}” from “{negative}”."
    return Answer(text, ("cohort.json", _MODEL))


def _data_source(evidence: Evidence) -> Answer | None:
    inputs = evidence.manifest.get("inputs") or []
    named = [f"{entry['name']} (SHA-256 {entry['sha256'][:12]}…)" for entry in inputs if entry.get("sha256")]
    if not named or "rows_read" not in evidence.cohort:
        return None
    text = f"A label sheet and a folder of frames: {', '.join(named)}; {evidence.cohort['rows_read']:,} rows."
    return Answer(text, ("manifest.json", "cohort.json"))


def _exclusions(evidence: Evidence) -> Answer | None:
    table = evidence.quarantine
    if table is None:
        return None
    if table.empty:
        return Answer("No row of the sheet was excluded by the run.", ("quarantine.csv",))
    reasons = "; ".join(f"{count:,} × {reason}" for reason, count in reason_counts(table["reason"]).items())
    return Answer(f"Excluded by the run: {counted(len(table), 'row')} ({reasons}).", ("quarantine.csv",))


def _preprocessing(evidence: Evidence) -> Answer | None:
    found = evidence.model.get("preprocessing")
    if not found:
        return None
    ways = {"pad": "aspect ratio kept, padded with black", "stretch": "stretched", "crop": "longer side cropped"}
    way = ways.get(found["aspect"], found["aspect"])
    text = f"Frames of {found['size']} × {found['size']} pixels, {way}; grey levels scaled by {found['scaling']}."
    return Answer(text, (_MODEL,))


def _quality(evidence: Evidence) -> Answer | None:
    first, found = _preprocessing(evidence), evidence.audit.get("findings")
    if first is None or found is None:
        return first
    text = f"{first.text} Before training the data were audited ({counted(len(found), 'finding')})."
    return Answer(text, (*first.sources, "audit.json", "report.html#audit"))


def _missing(evidence: Evidence) -> Answer | None:
    if evidence.quarantine is None or evidence.records is None:
        return None
    unlabelled = int((evidence.records["label"] == "").sum())
    text = (
        f"Nothing was imputed. {counted(len(evidence.quarantine), 'row')} that could not be used stand in quarantine "
        f"with their reason; {counted(unlabelled, 'frame')} without a label could be predicted and not measured."
    )
    return Answer(text, ("quarantine.csv", "records.csv"))


def _image_sizes(evidence: Evidence) -> Answer | None:
    records = evidence.records
    if records is None or records.empty:
        return None
    sizes = records.groupby(["width", "height"]).size().sort_values(ascending=False)
    width, height = sizes.index[0]
    most = f"the most frequent is {width:.0f} × {height:.0f} pixels ({counted(int(sizes.iloc[0]), 'frame')})"
    text = f"Images of {counted(len(sizes), 'size')}; {most}."
    return Answer(text, ("records.csv",))


def _labels(evidence: Evidence) -> Answer | None:
    inferred = evidence.cohort.get("inferred") or {}
    coding, column = inferred.get("coding"), inferred.get("label_column")
    if isinstance(column, Mapping):
        column = column.get("name")
    if not column:
        return None
    text = f"Labels are those of the sheet's column “{column}”, taken as they are" + (
        f" ({humanise(coding)})." if coding else "."
    )
    return Answer(text, ("cohort.json",))


def _label_doubts(evidence: Evidence) -> Answer | None:
    finding = _finding(evidence, "label-noise")
    if finding is None:
        return None
    return Answer(
        f"Not measured by readers. Label doubts were ranked: {finding['detail']}", ("audit.json", "report.html#audit")
    )


def _partitions(evidence: Evidence) -> Answer | None:
    split = evidence.split
    if split is None:
        return None
    parts = [
        f"{title.lower()} {len(rows):,} frames of {rows['group'].nunique():,} groups"
        for part, title in PART_TITLES.items()
        if len(rows := split[split["part"] == part])
    ]
    return Answer(f"By whole groups, drawn at random by class: {'; '.join(parts)}.", ("split.csv", _CONFIG))


def _disjoint(evidence: Evidence) -> Answer | None:
    split = evidence.split
    if split is None:
        return None
    astride = int((split.groupby("group")["part"].nunique() > 1).sum())
    columns = evidence.cohort.get("group_columns") or []
    level = f"the sheet's {', '.join(columns)} and look-alike source" if columns else "look-alike source"
    return Answer(
        f"Disjoint by group ({level}); groups in more than one part: {astride}.", ("split.csv", "records.csv")
    )


def _sample_size(evidence: Evidence) -> Answer | None:
    if evidence.split is None:
        return None
    table, (_, positive) = with_labels(evidence.split, evidence), evidence.class_names
    parts = [
        f"{title.lower()} {counted(len(rows), 'frame')} of {counted(rows['group'].nunique(), 'group')}, "
        f"{int((rows['label'] == positive).sum()):,} of them {positive}"
        for part, title in PART_TITLES.items()
        if len(rows := table[table["part"] == part])
    ]
    return Answer(f"As available: {'; '.join(parts)}.", ("split.csv", "records.csv"))


def _characteristics(evidence: Evidence) -> Answer | None:
    found = _sample_size(evidence)
    return (
        None
        if found is None
        else Answer(f"By class: {found.text.removeprefix('As available: ')}", (*found.sources, "report.html#split"))
    )


def _architecture(evidence: Evidence) -> Answer | None:
    architecture = evidence.model.get("architecture") or {}
    network = architecture.get("transformers_config") or {}
    if not architecture:
        return None
    kind = network.get("model_type", "network")
    output = f"one output, the logit of “{evidence.class_names[1]}”"
    text = f"{kind}: {architecture.get('origin')}; {output}. All layers stand in the file."
    return Answer(text, (_MODEL, "report.html#training"))


def _input(evidence: Evidence) -> Answer | None:
    found = _preprocessing(evidence)
    return None if found is None else Answer(f"The pixels of one frame, nothing else. {found.text}", found.sources)


def _software(evidence: Evidence) -> Answer | None:
    versions = evidence.manifest.get("versions") or {}
    if not versions:
        return None
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return Answer(f"Sonoproof {evidence.manifest.get('sonoproof')}; {listed}.", ("manifest.json",))


def _initialisation(evidence: Evidence) -> Answer | None:
    architecture = evidence.model.get("architecture") or {}
    if "origin" not in architecture:
        return None
    kind = "Pretrained weights" if architecture.get("pretrained") else "Random weights"
    seed = (evidence.model.get("training") or {}).get("seed")
    return Answer(f"{kind}: {architecture['origin']}; seed {seed}.", (_MODEL,))


def _training(evidence: Evidence) -> Answer | None:
    training = evidence.model.get("training")
    if not training:
        return None
    told = {key: value for key, value in training.items() if key != "members"}
    settings = "; ".join(f"{key.replace('_', ' ')} {humanise(value)}" for key, value in told.items())
    return Answer(f"{settings}. Augmentation and all settings stand in {_CONFIG}.", (_MODEL, _CONFIG, "history.csv"))


def _selection(evidence: Evidence) -> Answer | None:
    training = evidence.model.get("training") or {}
    if "epoch_chosen" not in training:
        return None
    where = {"stop": "rows set aside from the fit part", "val": "the validation rows"}
    chosen = where.get(str(training.get("chosen_on")), str(training.get("chosen_on")))
    if evidence.model.get("members"):
        chosen = "rows set aside from what each member learned from"
    epochs = training["epoch_chosen"]
    kept = f"epochs {humanise(epochs)}, one a member" if isinstance(epochs, list) else f"epoch {epochs}"
    text = f"The checkpoint of {kept}, by {training.get('monitor')}, on {chosen}."
    return Answer(text, (_MODEL, "history.csv"))


def _ensemble(evidence: Evidence) -> Answer | None:
    if not evidence.model:
        return None
    members = evidence.model.get("members")
    if members:
        text = (
            f"The mean of the logits of {members} networks of one architecture, each trained on the fit part without "
            "one of its folds."
        )
        return Answer(text, (_MODEL, "split.csv"))
    return Answer("None: a single network.", (_MODEL,))


def _imbalance(evidence: Evidence) -> Answer | None:
    balanced = (evidence.model.get("training") or {}).get("balanced")
    if balanced is None:
        return None
    weighed = "Both classes weigh the same in the loss" if balanced else "No method was used: every row weighs the same"
    return Answer(f"{weighed}. {_recalibrated(evidence.model)}", (_MODEL, *_decided_in(evidence)))


def _updating(evidence: Evidence) -> Answer | None:
    if not evidence.model.get("calibration"):
        return None
    return Answer(_recalibrated(evidence.model), _decided_in(evidence) or (_MODEL,))


def _decided_in(evidence: Evidence) -> tuple[str, ...]:
    """The file of what was chosen after training, where the run has one."""
    path = evidence.run.model / "decision.json"
    return (evidence.run.relative(path),) if path.is_file() else ()


def _indeterminate(evidence: Evidence) -> Answer | None:
    abstention = evidence.model.get("abstention")
    if not abstention:
        return None
    text = f"When the model says that it is not sure: {abstention['guarantee']} (chosen on: {abstention['chosen_on']})."
    return Answer(text, _decided_in(evidence) or (_MODEL,))


def _recalibrated(model: Mapping[str, Any]) -> str:
    calibration = model.get("calibration") or {}
    if calibration.get("method", "none") == "none":
        return "The probabilities were not recalibrated."
    return f"Probabilities were recalibrated ({calibration['method']}), chosen on: {calibration.get('chosen_on')}."


def _threshold(evidence: Evidence) -> Answer | None:
    point = evidence.model.get("operating_point")
    if not point:
        return None
    text = (
        f"A probability of “{evidence.class_names[1]}”; called so from {point['threshold']:.3g} on "
        f"(policy {point.get('policy')}, {point.get('chosen_on')})."
    )
    return Answer(text, _decided_in(evidence) or (_MODEL,))


def _calculation(evidence: Evidence) -> Answer | None:
    if not evidence.model:
        return None
    return Answer(
        "By the saved model, with its own preprocessing: sonoproof predict RUN FILES.",
        (_MODEL, "model/weights.safetensors"),
    )


def _blinding(evidence: Evidence) -> Answer | None:
    found = evidence.model.get("preprocessing")
    return (
        Answer("The network receives the pixels of a frame alone: no label and no clinical information.", (_MODEL,))
        if found
        else None
    )


def _bad_input(evidence: Evidence) -> Answer | None:
    if evidence.quarantine is None:
        return None
    return Answer(
        "A frame that cannot be read gets no prediction and the reason; it is never replaced.", ("quarantine.csv",)
    )


def _external(evidence: Evidence) -> Answer | None:
    if not evidence.cohort:
        return None
    if "test" in evidence.cohort:
        rows = evidence.cohort["test"]["rows_used"]
        return Answer(
            f"A separate test folder of {counted(rows, 'frame')} was given; whether it is external, the authors know.",
            ("cohort.json",),
        )
    return Answer("None: no separate test data were given to the run.", ("cohort.json",))


def _flow(evidence: Evidence) -> Answer | None:
    cohort = evidence.cohort
    if "rows_read" not in cohort:
        return None
    counts = (
        f"{cohort['rows_read']:,} rows read, {cohort['rows_used']:,} used, {cohort['rows_quarantined']:,} quarantined"
    )
    text = f"{counts}; the diagram is in the report."
    return Answer(text, ("report.html#data", "cohort.json", "quarantine.csv"))


def _limitations(evidence: Evidence) -> Answer | None:
    return Answer(" ".join(limits(evidence)), ("report.html#limits",)) if evidence.evaluated else None


def _out_of_scope(evidence: Evidence) -> Answer | None:
    return Answer("Not a medical device; for research only.", ("report.html#limits",)) if evidence.model else None


def _details(evidence: Evidence) -> Answer | None:
    return (
        Answer("All settings, versions, inputs and hashes of the run.", (_CONFIG, "manifest.json"))
        if evidence.manifest
        else None
    )


def _availability(evidence: Evidence) -> Answer | None:
    if not evidence.model.get("weights_sha256"):
        return None
    text = f"The trained model is in the run folder (weights SHA-256 {evidence.model['weights_sha256'][:12]}…)."
    return Answer(text, ("model/weights.safetensors", _MODEL))


def _auditable(evidence: Evidence) -> Answer | None:
    if not evidence.manifest:
        return None
    text = "Every output is stored with its SHA-256; sonoproof verify RUN computes the reported numbers again."
    return Answer(text, ("manifest.json",))


def _made(evidence: Evidence) -> Answer | None:
    created = evidence.manifest.get("created")
    return (
        Answer(f"{created}, Sonoproof {evidence.manifest.get('sonoproof')}.", ("manifest.json",)) if created else None
    )


def _audit_factors(evidence: Evidence) -> Answer | None:
    found = [str(finding.get("title")) for finding in evidence.audit.get("findings") or []]
    return (
        Answer(
            f"The audit looked for what goes with the class: {'; '.join(found)}.", ("audit.json", "report.html#audit")
        )
        if found
        else None
    )


def _training_data(evidence: Evidence) -> Answer | None:
    if evidence.split is None:
        return None
    rows = evidence.split[evidence.split["part"] == "fit"]
    return Answer(
        f"The fit part: {len(rows):,} frames of {counted(rows['group'].nunique(), 'group')}.",
        ("split.csv", "records.csv"),
    )


def _clusters(evidence: Evidence) -> Answer | None:
    if not evidence.evaluated:
        return None
    return Answer(
        "Frames of one group resemble each other: whole groups are resampled for every interval.",
        ("report.html#performance",),
    )


def _finding(evidence: Evidence, name: str) -> Mapping[str, Any] | None:
    return next((finding for finding in evidence.audit.get("findings") or [] if finding.get("id") == name), None)


ANSWERS: Mapping[str, Callable[[Evidence], Answer | None]] = {
    "architecture": _architecture,
    "audit_factors": _audit_factors,
    "auditable": _auditable,
    "availability": _availability,
    "bad_input": _bad_input,
    "blinding": _blinding,
    "calculation": _calculation,
    "characteristics": _characteristics,
    "clusters": _clusters,
    "data_source": _data_source,
    "details": _details,
    "disjoint": _disjoint,
    "ensemble": _ensemble,
    "exclusions": _exclusions,
    "external": _external,
    "flow": _flow,
    "goal": _goal,
    "image_sizes": _image_sizes,
    "imbalance": _imbalance,
    "indeterminate": _indeterminate,
    "initialisation": _initialisation,
    "input": _input,
    "label_doubts": _label_doubts,
    "labels": _labels,
    "limitations": _limitations,
    "made": _made,
    "missing": _missing,
    "out_of_scope": _out_of_scope,
    "partitions": _partitions,
    "preprocessing": _preprocessing,
    "quality": _quality,
    "sample_size": _sample_size,
    "selection": _selection,
    "software": _software,
    "technology": _technology,
    "threshold": _threshold,
    "training": _training,
    "training_data": _training_data,
    "updating": _updating,
    **MEASURED,
}
