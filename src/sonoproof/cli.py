"""The command line: parse, call one function, print.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done; 1 the data or the input is at fault; 2 usage;
3 the audit blocks the run. What is slow to import is imported by the command that needs it.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sonoproof import __version__
from sonoproof.errors import SonoproofError
from sonoproof.interrupts import Stopped, stoppable
from sonoproof.malloc import keep_freed_memory

if TYPE_CHECKING:
    from sonoproof.config import Config
    from sonoproof.runfolder import RunFolder

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From a label sheet and a folder of ultrasound frames to a classifier that can be defended.",
)

# Settings said on the command line, by table; None where nothing was said.
Flags = dict[str, Any]
Sheet = Annotated[Path, typer.Argument(help="Label sheet: xlsx, xls, ods or csv.", show_default=False)]
Run = Annotated[Path, typer.Argument(help="Run folder.", show_default=False)]
Images = Annotated[Path, typer.Option("--images", help="Folder with the sheet's images.", show_default=False)]
Settings = Annotated[list[str], typer.Option("--set", help="A setting, stage.key=value; may be repeated.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda.")]
ImageColumn = Annotated[str | None, typer.Option("--image-column", help="Column with the image references.")]
LabelColumn = Annotated[str | None, typer.Option("--label-column", help="Column with the labels.")]
Positive = Annotated[str | None, typer.Option("--positive", help="Value of the label column that is positive.")]
GroupColumns = Annotated[
    list[str], typer.Option("--group-column", help="Column that must not be split, such as the patient; repeatable.")
]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    del debug  # read by main()
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to; an unfinished demo there goes on.")] = Path(
        "sonoproof-demo"
    ),
) -> None:
    """Simulate a cohort and run everything on it: no data, no weights, no network needed."""
    from sonoproof.console import Terminal
    from sonoproof.demo import run_demo

    with Terminal() as terminal:
        finished = run_demo(out, reporter=terminal)
    _show_result(finished)


@app.command()
def run(
    sheet: Sheet,
    images: Images,
    out: Annotated[Path, typer.Option("--out", help="Run folder to write.", show_default=False)],
    test_images: Annotated[Path | None, typer.Option("--test-images", help="Folder with test images.")] = None,
    test_sheet: Annotated[Path | None, typer.Option("--test-sheet", help="Sheet with the test labels.")] = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    positive: Positive = None,
    group_column: GroupColumns = [],  # noqa: B006
    backbone: Annotated[str | None, typer.Option("--backbone", help="Hub id, folder, or random.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Allow fetching the backbone from the hub.")] = False,
    recipe: Annotated[str | None, typer.Option("--recipe", help="default or classic.")] = None,
    folds: Annotated[int | None, typer.Option("--folds", help="Folds of a grouped cross-validation.")] = None,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Save the mean of the folds' models.")] = False,
    seeds: Annotated[int | None, typer.Option("--seeds", help="Trainings with different seeds, on one split.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of everything random.")] = None,
    device: Device = None,
    masks: Annotated[Path | None, typer.Option("--masks", help="Folder with a mask of what matters a frame.")] = None,
    config: ConfigFile = None,
    settings: Settings = [],  # noqa: B006
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an earlier attempt.")] = False,
) -> None:
    """Audit, split, train, evaluate, explain and report."""
    from sonoproof.console import Terminal
    from sonoproof.manifest import command_line
    from sonoproof.pipeline import run as run_pipeline
    from sonoproof.stages.context import Inputs

    flags: Flags = {
        "seed": seed,
        **_sheet_flags(image_column, label_column, positive, group_column),
        "split": {"folds": folds},
        "model": {"backbone": backbone, "download": download or None, "device": device},
        "fit": {"recipe": recipe, "seeds": seeds, "ensemble": ensemble or None},
        "explain": {"masks": str(masks) if masks else None},
    }
    chosen = _settled(flags, config=config, settings=settings)
    inputs = Inputs(sheet=sheet, images=images, test_images=test_images, test_sheet=test_sheet)
    with Terminal() as terminal:
        finished = run_pipeline(
            out,
            inputs=inputs,
            config=chosen,
            reporter=terminal,
            command=command_line(),
            resume=resume,
        )
    _show_result(finished)


@app.command()
def audit(
    sheet: Sheet,
    images: Images,
    out: Annotated[Path, typer.Option("--out", help="Folder to write; new or empty.", show_default=False)],
    against_images: Annotated[Path | None, typer.Option("--against-images", help="Folder with test images.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="Sheet with the test labels.")] = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    positive: Positive = None,
    group_column: GroupColumns = [],  # noqa: B006
    backbone: Annotated[str | None, typer.Option("--backbone", help="Hub id, folder, or random.")] = None,
    config: ConfigFile = None,
    settings: Settings = [],  # noqa: B006
) -> None:
    """Look for what makes the data unfit: copies, look-alikes, leaks, shortcuts, doubtful labels."""
    from sonoproof.console import Terminal
    from sonoproof.manifest import command_line
    from sonoproof.pipeline import audit as run_audit
    from sonoproof.reporting.terminal.summary import audit_lines
    from sonoproof.stages.context import Inputs

    flags: Flags = {**_sheet_flags(image_column, label_column, positive, group_column), "model": {"backbone": backbone}}
    chosen = _settled(flags, config=config, settings=settings)
    inputs = Inputs(sheet=sheet, images=images, test_images=against_images, test_sheet=against)
    with Terminal() as terminal:
        finished = run_audit(out, inputs=inputs, config=chosen, reporter=terminal, command=command_line())
    for line in audit_lines(finished):
        typer.echo(line)


@app.command()
def relabel(
    sheet: Sheet,
    reviewed: Annotated[Path, typer.Argument(help="The filled-in review workbook.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The copy to write; must not exist.", show_default=False)],
    images: Annotated[Path | None, typer.Option("--images", help="Folder with the sheet's images.")] = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    positive: Positive = None,
) -> None:
    """Apply a clinician's review to a copy of the sheet, with a log of what changed; the original is not touched."""
    from sonoproof.data.cohort.relabel import CHANGE_COLUMNS, apply_review
    from sonoproof.runfolder import write_table

    chosen = _settled(_sheet_flags(image_column, label_column, positive, []), config=None, settings=[])
    changes = apply_review(sheet, reviewed=reviewed, out=out, config=chosen.sheet, images=images)
    log = out.with_name(f"{out.stem}_changes.csv")
    write_table(log, changes, columns=CHANGE_COLUMNS)
    typer.echo(f"{out}: {len(changes)} labels changed; {log} says which")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more run folders.", show_default=False)],
    part: Annotated[str, typer.Option("--part", help="Part to compare: val, test or oof.")] = "val",
) -> None:
    """Compare the predictions of runs on the same rows: differences with intervals, paired by group."""
    from sonoproof.reporting.terminal.comparison import comparison_lines

    for line in comparison_lines(runs, part=part):
        typer.echo(line)


@app.command("check-table")
def check_table(
    n: Annotated[int, typer.Option("--n", help="Rows.", show_default=False)],
    positives: Annotated[int, typer.Option("--positives", help="Rows of the positive class.", show_default=False)],
    accuracy: Annotated[str | None, typer.Option("--accuracy", help="As printed, for example .8428.")] = None,
    precision: Annotated[str | None, typer.Option("--precision", help="As printed.")] = None,
    recall: Annotated[str | None, typer.Option("--recall", help="As printed.")] = None,
    specificity: Annotated[str | None, typer.Option("--specificity", help="As printed.")] = None,
    npv: Annotated[str | None, typer.Option("--npv", help="As printed.")] = None,
    f1: Annotated[str | None, typer.Option("--f1", help="As printed.")] = None,
) -> None:
    """Say whether any confusion matrix gives the figures of a published table; exit with 1 if none does."""
    from sonoproof.errors import ConfigError
    from sonoproof.evaluation.check_table import check_table as check

    typed = {"accuracy": accuracy, "precision": precision, "recall": recall, "specificity": specificity}
    typed |= {"npv": npv, "f1": f1}
    try:
        found = check(n, positives=positives, **{name: text for name, text in typed.items() if text is not None})
    except ValueError as error:
        raise ConfigError(str(error)) from error
    typer.echo(found.statement)
    for cells in found.possible:
        typer.echo("  " + "  ".join(f"{name} {count}" for name, count in cells.items()))
    if not found.n_possible:
        raise typer.Exit(1)


@app.command()
def fit(run_folder: Run, device: Device = None, settings: Settings = []) -> None:  # noqa: B006
    """Train again, from the run folder's records and split."""
    _rerun(run_folder, "fit", settings=settings, device=device)


@app.command()
def calibrate(run_folder: Run, device: Device = None, settings: Settings = []) -> None:  # noqa: B006
    """Choose calibration, threshold and abstention again, on rows that are not reported."""
    _rerun(run_folder, "calibrate", settings=settings, device=device)


@app.command()
def evaluate(run_folder: Run, settings: Settings = []) -> None:  # noqa: B006
    """Evaluate again, from the run folder's predictions."""
    _rerun(run_folder, "evaluate", settings=settings)


@app.command()
def explain(run_folder: Run, settings: Settings = []) -> None:  # noqa: B006
    """Explain again, from the run folder's model and predictions."""
    _rerun(run_folder, "explain", settings=settings)


@app.command()
def report(run_folder: Run, settings: Settings = []) -> None:  # noqa: B006
    """Write the report again, from the files of the run folder."""
    _rerun(run_folder, "report", settings=settings)


@app.command()
def verify(run_folder: Run) -> None:
    """Check every hash of a run, and compute every reported number again from its predictions."""
    from sonoproof.runfolder import RunFolder
    from sonoproof.verification import verify_run

    found = verify_run(RunFolder(run_folder))
    for line in found.differences:
        typer.echo(line)
    typer.echo(
        f"{found.files:,} hashes checked, {len(found.recomputed)} files computed again and compared: "
        f"{f'{len(found.differences):,} differences' if found.differences else 'all agree'}"
    )
    if found.other_version:
        typer.echo(
            f"written by Sonoproof {found.other_version}, which words its sentences in its own way: numbers and names "
            "were compared, sentences and the report were not"
        )
    if found.differences:
        raise typer.Exit(1)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or an exported model.", show_default=False)],
    paths: Annotated[list[Path], typer.Argument(help="Image files and folders.", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="File to write: csv, xlsx or parquet.")] = None,
    engine: Annotated[str, typer.Option("--engine", help="auto, torch, onnxruntime or openvino.")] = "auto",
    device: Device = None,
) -> None:
    """Predict image files with a run's model: one row for each file asked for."""
    from sonoproof.console import Terminal
    from sonoproof.inference.predict_paths import predict_paths
    from sonoproof.inference.prediction_files import check_out, print_answers, write_file_answers

    if out is not None:
        check_out(out)
    _write_any_name()
    with Terminal() as terminal:
        answers = predict_paths(model, paths, engine=engine, device=device, reporter=terminal)
    if out is None:
        print_answers(answers, sys.stdout)
        return
    write_file_answers(answers, out)
    refused = sum(answer.reason != "" for answer in answers)
    typer.echo(f"{out}: {len(answers) - refused} predicted, {refused} not readable (their rows say why)")


@app.command()
def export(
    run_folder: Run,
    out: Annotated[Path, typer.Option("--out", help="File to write: *.onnx.", show_default=False)],
    int8: Annotated[bool, typer.Option("--int8", help="In 8-bit integers, if validation allows it.")] = False,
) -> None:
    """Export a run's model as one ONNX file, if the file answers as the model does."""
    from sonoproof.stages.export import export_run

    typer.echo(f"{out}: {export_run(run_folder, out=out, int8=int8)}")


@app.command()
def phantom(
    out: Annotated[Path, typer.Option("--out", help="Folder to write; new or empty.", show_default=False)],
    patients: Annotated[int, typer.Option("--patients", help="Patients.")] = 60,
    frames: Annotated[int, typer.Option("--frames", help="Frames of each patient.")] = 10,
    size: Annotated[int, typer.Option("--size", help="Longer side of a frame in pixels.")] = 224,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")] = 0,
    polycystic: Annotated[float, typer.Option("--polycystic", help="Share of polycystic patients.")] = 0.5,
    caliper: Annotated[bool, typer.Option("--caliper", help="Plant a caliper that follows the class.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Plant text that follows the class.")] = False,
    size_shortcut: Annotated[
        bool, typer.Option("--size-shortcut", help="Plant a size that follows the class.")
    ] = False,
    wrong_labels: Annotated[float, typer.Option("--wrong-labels", help="Share of wrong labels.")] = 0.0,
    duplicates: Annotated[float, typer.Option("--duplicates", help="Share of exact duplicates.")] = 0.0,
    recrops: Annotated[float, typer.Option("--recrops", help="Re-cropped copies, as a share of the frames.")] = 0.0,
    unreadable: Annotated[float, typer.Option("--unreadable", help="Share of damaged files.")] = 0.0,
) -> None:
    """Simulate a cohort of ovarian ultrasound whose truth is known."""
    from sonoproof.console import Terminal
    from sonoproof.phantom import PhantomConfig, write_cohort

    chosen = PhantomConfig(
        patients=patients,
        frames_per_patient=frames,
        size_px=size,
        seed=seed,
        polycystic_share=polycystic,
        caliper=caliper,
        text=text,
        size_shortcut=size_shortcut,
        wrong_labels=wrong_labels,
        exact_duplicates=duplicates,
        recrops=recrops,
        unreadable=unreadable,
    )
    with Terminal() as terminal:
        terminal.stage("simulating")
        cohort = write_cohort(out, config=chosen, progress=terminal.progress)
    for name in ("sheet", "images", "masks", "truth"):
        typer.echo(f"{name:7s} {getattr(cohort, name)}")


@app.command()
def env() -> None:
    """Print versions and devices, for a bug report."""
    from sonoproof.environment import describe

    for name, value in describe().items():
        typer.echo(f"{name:24s} {value}")


def main() -> None:
    """Run the command line; errors that a user can fix are one message, without a traceback."""
    keep_freed_memory()
    try:
        with stoppable():
            app()
    except SonoproofError as error:
        if "--debug" in sys.argv[1:]:
            raise
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except Stopped as stopped:
        typer.echo("stopped; go on with --resume", err=True)
        raise SystemExit(stopped.exit_code) from None


def _rerun(folder: Path, name: str, *, settings: list[str], device: str | None = None) -> None:
    from sonoproof.config import load_config, override
    from sonoproof.console import Terminal
    from sonoproof.pipeline import rerun
    from sonoproof.runfolder import RunFolder

    run_folder = RunFolder(folder)
    chosen = override(load_config(run_folder.config), _given({"model": {"device": device}}), origin="command line")
    with Terminal() as terminal:
        rerun(run_folder, name=name, config=load_config(settings=settings, over=chosen), reporter=terminal)
    _show_result(run_folder)


def _write_any_name() -> None:
    """Let what stdout's encoding lacks, such as a name in another script, be written as an escape."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _sheet_flags(
    image_column: str | None, label_column: str | None, positive: str | None, group_columns: list[str]
) -> Flags:
    return {
        "sheet": {
            "image_column": image_column,
            "label_column": label_column,
            "positive": positive,
            "group_columns": group_columns or None,
        }
    }


def _settled(flags: Flags, *, config: Path | None, settings: list[str]) -> Config:
    """Defaults, then the file, then the flags, then ``--set``."""
    from sonoproof.config import load_config, override

    return load_config(settings=settings, over=override(load_config(config), _given(flags), origin="command line"))


def _given(flags: Flags) -> Flags:
    """Only what was said on the command line: what was not said is left to the file and the defaults."""
    given = {name: _given(value) if isinstance(value, dict) else value for name, value in flags.items()}
    return {name: value for name, value in given.items() if value is not None}


def _show_result(run_folder: RunFolder) -> None:
    from sonoproof.reporting.terminal.summary import summary_lines

    for line in summary_lines(run_folder):
        typer.echo(line)
