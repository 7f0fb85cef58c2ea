"""The command line: parse, call one function, print.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done; 1 the data or the input is at fault; 2 usage;
3 the audit blocks the run. What is slow to import is imported by the command that needs it.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sonoproof import __version__
from sonoproof.config import Config, load_config
from sonoproof.errors import SonoproofError
from sonoproof.flags import SHEET, VALUES, Given, takes_settings
from sonoproof.interrupts import Stopped, stoppable
from sonoproof.malloc import keep_freed_memory
from sonoproof.parts import Part

if TYPE_CHECKING:
    from sonoproof.runfolder import RunFolder

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From a label sheet and a folder of ultrasound frames to a classifier that can be defended.",
)

Sheet = Annotated[Path, typer.Argument(help="Label sheet: xlsx, xls, ods or csv.", show_default=False)]
Run = Annotated[Path, typer.Argument(help="Run folder.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="Folder to write; must be new or empty.", show_default=False)]
Images = Annotated[Path, typer.Option("--images", help="Folder with the sheet's images.", show_default=False)]
Figure = Annotated[str | None, typer.Option(help="As printed, for example .8428.")]


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
    out: Annotated[Path, typer.Option(help="Folder to write; an unfinished demo there is continued.")] = Path(
        "sonoproof-demo"
    ),
) -> None:
    """Run everything on a simulated cohort. No data, no weights and no network are needed."""
    from sonoproof.console import Terminal
    from sonoproof.demo import run_demo

    with Terminal() as terminal:
        finished = run_demo(out, reporter=terminal)
    _show_result(finished)


@app.command()
@takes_settings(*SHEET, "model.backbone", "model.download", "model.device", "fit.recipe", "split.folds", "fit.ensemble",
                "seed", "fit.seeds", "explain.masks")  # fmt: skip
def run(
    given: Given,
    sheet: Sheet,
    images: Images,
    out: Out,
    test_images: Annotated[Path | None, typer.Option(help="Folder with test images.")] = None,
    test_sheet: Annotated[Path | None, typer.Option(help="Sheet with the test labels.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an unfinished run in --out.")] = False,
) -> None:
    """Audit, split, train, evaluate, explain and report."""
    from sonoproof.console import Terminal
    from sonoproof.manifest import command_line
    from sonoproof.pipeline import run as run_pipeline
    from sonoproof.stages.context import Inputs

    config, inputs = given.over(Config()), Inputs(sheet, images, test_images=test_images, test_sheet=test_sheet)
    with Terminal() as terminal:
        finished = run_pipeline(
            out, inputs=inputs, config=config, reporter=terminal, command=command_line(), resume=resume
        )
    _show_result(finished)


@app.command()
@takes_settings(*SHEET, "model.backbone")
def audit(
    given: Given,
    sheet: Sheet,
    images: Images,
    out: Out,
    against_images: Annotated[Path | None, typer.Option(help="Folder with test images to compare with.")] = None,
    against: Annotated[Path | None, typer.Option(help="Sheet with the labels of these images.")] = None,
) -> None:
    """Audit data before training. Looks for copies, look-alikes, leaks, shortcuts and doubtful labels."""
    from sonoproof.console import Terminal
    from sonoproof.manifest import command_line
    from sonoproof.pipeline import audit as run_audit
    from sonoproof.reporting.terminal.summary import audit_lines
    from sonoproof.stages.context import Inputs

    config, inputs = given.over(Config()), Inputs(sheet, images, test_images=against_images, test_sheet=against)
    with Terminal() as terminal:
        finished = run_audit(out, inputs=inputs, config=config, reporter=terminal, command=command_line())
    _print(audit_lines(finished))


@app.command()
@takes_settings("sheet.encoding", "sheet.image_column", "sheet.label_column", *VALUES, "sheet.several_images")
def relabel(
    given: Given,
    sheet: Sheet,
    reviewed: Annotated[Path, typer.Argument(help="Review workbook, filled in.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The copy to write; must not exist.", show_default=False)],
    images: Annotated[Path | None, typer.Option(help="Folder with the sheet's images.")] = None,
) -> None:
    """Apply a clinician's review to a copy of the sheet. The original is not touched; a log lists the changes."""
    from sonoproof.data.cohort.relabel import CHANGE_COLUMNS, apply_review
    from sonoproof.runfolder import write_table

    changes = apply_review(sheet, reviewed=reviewed, out=out, config=given.over(Config()).sheet, images=images)
    log = out.with_name(f"{out.stem}_changes.csv")
    write_table(log, changes, columns=CHANGE_COLUMNS)
    typer.echo(f"{out}: {len(changes)} labels changed, listed in {log}")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more run folders.", show_default=False)],
    part: Annotated[Part, typer.Option(help="Rows to compare; oof are the out-of-fold predictions.")] = Part.VAL,
) -> None:
    """Compare runs on the same rows. Gives differences with confidence intervals, paired by group."""
    from sonoproof.reporting.terminal.comparison import comparison_lines

    _print(comparison_lines(runs, part=part))


@app.command()
@takes_settings("sheet.encoding", "seed")
def metrics(
    given: Given,
    table: Annotated[Path, typer.Argument(help="Table of scores: csv, xlsx, xls or ods.", show_default=False)],
    label: Annotated[str, typer.Option(help="Column with the labels.", show_default=False)],
    score: Annotated[str, typer.Option(help="Column with the probability of the positive class.", show_default=False)],
    group: Annotated[str | None, typer.Option(help="Column with the patient, clip or other source.")] = None,
    positive: Annotated[str | None, typer.Option(help="Label that is positive; may be left out for 0 and 1.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Probability from which a row is predicted positive.")] = None,
    logits: Annotated[bool, typer.Option("--logits", help="The scores are log-odds.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write with every digit: *.json.")] = None,
) -> None:
    """Metrics with confidence intervals for the predictions of any tool."""
    from sonoproof.api.measuring import metrics_of_table
    from sonoproof.config import override
    from sonoproof.runfolder import write_json

    config = given.over(Config())
    if threshold is not None:
        config = override(config, {"evaluate": {"threshold": threshold}}, origin="--threshold")
    found = metrics_of_table(
        table, label=label, score=score, group=group, positive=positive, config=config, logits=logits
    )
    if out is not None:
        write_json(out, found.to_dict(), schema="metrics")
    typer.echo(repr(found))


@app.command("check-table")
def check_table(
    n: Annotated[int, typer.Option(help="Number of rows.", show_default=False)],
    positives: Annotated[int, typer.Option(help="Number of rows of the positive class.", show_default=False)],
    accuracy: Figure = None,
    precision: Figure = None,
    recall: Figure = None,
    specificity: Figure = None,
    npv: Figure = None,
    f1: Figure = None,
) -> None:
    """Check whether a published table is possible. Exits with 1 if no confusion matrix gives its figures."""
    from sonoproof.errors import ConfigError
    from sonoproof.evaluation.check_table import check_table as check

    typed = {"accuracy": accuracy, "precision": precision, "recall": recall, "specificity": specificity}
    typed |= {"npv": npv, "f1": f1}
    try:
        found = check(n, positives=positives, **{name: text for name, text in typed.items() if text is not None})
    except ValueError as error:
        raise ConfigError(str(error)) from error
    typer.echo(found.statement)
    _print("  " + "  ".join(f"{name} {count}" for name, count in cells.items()) for cells in found.possible)
    if not found.n_possible:
        raise typer.Exit(1)


@app.command()
@takes_settings("model.device")
def fit(given: Given, run_folder: Run) -> None:
    """Train again on the records and the split of a run."""
    _do_again("fit", run_folder, given)


@app.command()
@takes_settings("model.device")
def calibrate(given: Given, run_folder: Run) -> None:
    """Calibrate again, and choose threshold and abstention. Uses rows whose results are not reported."""
    _do_again("calibrate", run_folder, given)


@app.command()
@takes_settings()
def evaluate(given: Given, run_folder: Run) -> None:
    """Evaluate the predictions of a run again."""
    _do_again("evaluate", run_folder, given)


@app.command()
@takes_settings()
def explain(given: Given, run_folder: Run) -> None:
    """Explain the predictions of a run again."""
    _do_again("explain", run_folder, given)


@app.command()
@takes_settings()
def report(given: Given, run_folder: Run) -> None:
    """Write the report of a run again."""
    _do_again("report", run_folder, given)


@app.command()
def verify(run_folder: Run) -> None:
    """Check that the files and numbers of a run hold. Recomputes every number; exits with 1 if any differs."""
    from sonoproof.runfolder import RunFolder
    from sonoproof.verification import verify_run

    found = verify_run(RunFolder(run_folder))
    _print(found.differences)
    typer.echo(
        f"{found.files:,} hashes checked, {len(found.recomputed)} files computed again and compared: "
        f"{f'{len(found.differences):,} differences' if found.differences else 'all agree'}"
    )
    if found.other_version:
        typer.echo(
            f"written by Sonoproof {found.other_version}, which phrases sentences differently: numbers and names were "
            "compared, sentences and the report were not"
        )
    if found.differences:
        raise typer.Exit(1)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or an exported model.", show_default=False)],
    paths: Annotated[list[Path], typer.Argument(help="Image files and folders.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="File to write (csv, xlsx, parquet); else printed.")] = None,
    engine: Annotated[str, typer.Option(help="Engine: auto, torch, onnxruntime or openvino.")] = "auto",
    device: Annotated[str | None, typer.Option(help="Where the network runs: auto, cpu or cuda.")] = None,
) -> None:
    """Predict image files with the model of a run. Every file gets a row, readable or not."""
    from sonoproof.console import Terminal
    from sonoproof.inference.predict_paths import predict_paths
    from sonoproof.inference.prediction_files import check_out, print_answers, write_file_answers

    if out is not None:
        check_out(out)
    _write_any_name()
    with Terminal() as terminal:
        answers = predict_paths(model, paths, engine=engine, device=device or "auto", reporter=terminal)
    if out is None:
        print_answers(answers, sys.stdout)
        return
    write_file_answers(answers, out)
    refused = sum(answer.reason != "" for answer in answers)
    typer.echo(f"{out}: {len(answers) - refused} predicted, {refused} not readable (their rows say why)")


@app.command()
def export(
    run_folder: Run,
    out: Annotated[Path, typer.Option(help="File to write: *.onnx.", show_default=False)],
    int8: Annotated[
        bool, typer.Option("--int8", help="Store 8-bit integers, if that holds up on the validation rows.")
    ] = False,
) -> None:
    """Export the model of a run as ONNX. The file is only written if it gives the same answers."""
    from sonoproof.stages.export import export_run

    typer.echo(f"{out}: {export_run(run_folder, out=out, int8=int8)}")


@app.command()
def phantom(
    out: Annotated[Path, typer.Option(help="Folder to write; must be new or empty.", show_default=False)],
    patients: Annotated[int, typer.Option(help="Number of patients.")] = 60,
    frames: Annotated[int, typer.Option(help="Frames per patient.")] = 10,
    size: Annotated[int, typer.Option(help="Longer side of a frame, in pixels.")] = 224,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    polycystic: Annotated[float, typer.Option(help="Share of polycystic patients.")] = 0.5,
    caliper: Annotated[bool, typer.Option("--caliper", help="Plant a caliper that gives the class away.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Plant text that gives the class away.")] = False,
    size_shortcut: Annotated[
        bool, typer.Option("--size-shortcut", help="Plant a frame size that gives the class away.")
    ] = False,
    wrong_labels: Annotated[float, typer.Option(help="Share of wrong labels.")] = 0.0,
    duplicates: Annotated[float, typer.Option(help="Exact copies, as a share of the frames.")] = 0.0,
    recrops: Annotated[float, typer.Option(help="Re-cropped copies, as a share of the frames.")] = 0.0,
    unreadable: Annotated[float, typer.Option(help="Share of damaged files.")] = 0.0,
) -> None:
    """Simulate ovarian ultrasound whose truth is known."""
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
    """Print versions and devices for a bug report."""
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
        typer.echo("stopped; continue with --resume", err=True)
        raise SystemExit(stopped.exit_code) from None


def _do_again(name: str, folder: Path, given: Given) -> None:
    from sonoproof.console import Terminal
    from sonoproof.pipeline import rerun
    from sonoproof.runfolder import RunFolder

    run_folder = RunFolder(folder).existing()
    with Terminal() as terminal:
        rerun(run_folder, name=name, config=given.over(load_config(run_folder.config)), reporter=terminal)
    _show_result(run_folder)


def _write_any_name() -> None:
    """Let what stdout's encoding lacks, such as a name in another script, be written as an escape."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _show_result(run_folder: RunFolder) -> None:
    from sonoproof.reporting.terminal.summary import summary_lines

    _print(summary_lines(run_folder))


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
