"""The tables of settings, one per stage: each field with its range or words, its default and its meaning.

The docstrings are the text of ``docs/settings.md``.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

DEFAULT_BACKBONE = "google/mobilenet_v1_1.0_224"


@dataclass(frozen=True)
class Between:
    """The range of a number, both ends included.

    Attributes:
        low: Lowest value.
        high: Highest value.
        unset: Number that stands for None in the settings files of earlier versions.
    """

    low: float
    high: float = math.inf
    unset: float | None = None

    def is_unset(self, value: Any) -> bool:
        """Whether a value, as read, stands for None."""
        return self.unset is not None and value == self.unset and not isinstance(value, bool)

    def __str__(self) -> str:
        low, high = (f"{end:,.12g}" for end in (self.low, self.high))
        return f"at least {low}" if math.isinf(self.high) else f"between {low} and {high}"


@dataclass(frozen=True)
class _Seeded:
    """A stage that draws at random.

    Attributes:
        seed: Seed of this stage alone. If not set, the run's own ``seed`` is used.
        run_seed: The run's seed, filled in by `Config`.
    """

    seed: Annotated[int | None, Between(0)] = None
    run_seed: int = field(default=0, metadata={"setting": False})

    @property
    def effective_seed(self) -> int:
        """The seed that the stage draws with."""
        return self.run_seed if self.seed is None else self.seed


@dataclass(frozen=True)
class SheetConfig:
    """How the label sheet is read.

    Sonoproof finds the worksheet and its columns by their names and contents. Name them here where it finds the wrong
    ones or asks you to decide.

    Attributes:
        worksheet: Name of the worksheet with the labels.
        encoding: Text encoding of a csv file, such as ``cp1251`` or ``gb18030``. If not set, Sonoproof finds it.
        image_column: Header of the column that names the image files.
        label_column: Header of the column with the labels.
        positive: The label (or class name) that counts as positive, such as ``malignant``. Several labels have commas
            between them, such as ``4A,4B,5``.
        negative: The labels that count as negative, with commas between them. If not set, all that are not positive.
        exclude_labels: Labels whose rows are left out; they are listed in the quarantine.
        several_images: Cells that name several images: ``quarantine`` sets the row aside, ``rows`` makes a row of each;
            these rows stay on one side of the split.
        near_names: Use references that nearly name a file (``001.dcm`` for ``001.png``), where one reference and one
            file are near each other and nothing else is.
        label_conflicts: Rows in which another column of labels contradicts the chosen one: ``drop`` quarantines them,
            ``keep`` uses the chosen column, ``ask`` stops with a list.
        split_column: Header of a column that gives the split (train, val, test, a fold number or a flag). If not set,
            Sonoproof makes the split.
        hidden_rows: Rows that are hidden or filtered out in the sheet: ``read`` reads them like any other, ``drop``
            quarantines them.
        group_columns: Headers of columns that name the patient, clip or site. All frames of a group are placed on the
            same side of the split.
        find_groups: Look for columns that name patients, examinations or clips when ``group_columns`` is empty.
    """

    worksheet: str | None = None
    encoding: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    positive: str | None = None
    negative: str | None = None
    exclude_labels: tuple[str, ...] = ()
    several_images: Literal["quarantine", "rows"] = "quarantine"
    near_names: bool = False
    label_conflicts: Literal["drop", "keep", "ask"] = "drop"
    split_column: str | None = None
    hidden_rows: Literal["read", "drop"] = "read"
    group_columns: tuple[str, ...] = ()
    find_groups: bool = True


@dataclass(frozen=True)
class FramesConfig:
    """How a frame becomes the network's input.

    Attributes:
        size: Side of the square input, in pixels. If not set, the backbone's own image size is used. Smaller is faster
            and loses detail.
        aspect: How a frame is made square: ``pad`` keeps its proportions and fills the rest with black, ``crop`` keeps
            them and cuts off the longer side, ``stretch`` distorts it.
        bits: Bits in use of samples of 16 bits: 8, 10, 12, 14 or 16. If not set, the frames of the sheet decide
            together. A frame that needs more is quarantined.
        max_pixels: Images with more pixels than this are quarantined without being decoded, because a damaged or
            hostile file can claim any size.
        workers: Threads that decode frames. If not set, one per processor.
    """

    size: Annotated[int | None, Between(1, 2048, unset=0)] = None
    aspect: Literal["pad", "stretch", "crop"] = "pad"
    bits: Annotated[int | None, Between(8, 16)] = None
    max_pixels: Annotated[int, Between(1, 10**12)] = 100_000_000
    workers: Annotated[int | None, Between(1, 1024, unset=0)] = None


@dataclass(frozen=True)
class AuditConfig:
    """What the audit looks for, and what happens to what it finds.

    Attributes:
        lookalikes: Search for re-crops, zooms, mirror images and neighbouring frames. Identical frames are always
            searched for.
        duplicate_conflicts: Identical frames with opposite labels: ``drop`` quarantines all of them, ``keep`` trains on
            them, ``block`` stops the run with exit code 3.
        mixed_groups: Groups of look-alike frames that hold both labels: ``group`` keeps each on one side of the split,
            ``drop`` quarantines them, ``block`` stops the run.
        test_twins: Test frames that have a look-alike among the frames of the sheet: ``keep`` reports the metrics with
            and without them, ``drop`` leaves their look-alikes out of training, ``block`` stops the run.
        split_leaks: Frames of one patient, clip or source on several sides of a split that the sheet gives
            (``sheet.split_column``): ``drop`` leaves them in one part (test before validation before training) and
            quarantines the others, ``block`` stops the run.
        probes: Test for shortcuts, compare the honest split with a naive one, and rank doubtful labels.
    """

    lookalikes: bool = True
    duplicate_conflicts: Literal["drop", "keep", "block"] = "drop"
    mixed_groups: Literal["group", "drop", "block"] = "group"
    test_twins: Literal["keep", "drop", "block"] = "keep"
    split_leaks: Literal["drop", "block"] = "drop"
    probes: bool = True


@dataclass(frozen=True)
class SplitConfig(_Seeded):
    """How the rows are divided into parts. Groups are never split.

    Attributes:
        val: Share of the rows held out for validation.
        test: Share of the rows held out for testing when no test folder is given. If not set, 0.2 if there are at least
            10 groups of each class, otherwise none.
        stop: Share of the fit rows set aside to choose the checkpoint (recipe ``default``).
        folds: Folds of the cross-validation that gives out-of-fold predictions, or members of an ensemble. 0 for none.
    """

    val: Annotated[float, Between(0.01, 0.9)] = 0.2
    test: Annotated[float | None, Between(0, 0.9, unset=-1)] = None
    stop: Annotated[float, Between(0, 0.5)] = 0.15
    folds: Annotated[int, Between(0, 100)] = 0


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Attributes:
        backbone: Pretrained network: a name on the Hugging Face hub (taken from the local cache), a folder, or
            ``random`` to train from random weights.
        download: Allow a backbone from the hub to be downloaded. Nothing is downloaded otherwise.
        width: Width of a ``random`` MobileNet V1 relative to the published one. Smaller is faster.
        device: Where the network runs. ``auto`` uses a GPU if there is one.
    """

    backbone: str = DEFAULT_BACKBONE
    download: bool = False
    width: Annotated[float, Between(0.05, 2.0)] = 0.75
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True)
class FitConfig(_Seeded):
    """How the network is trained.

    Attributes:
        recipe: ``classic``: frozen base, one sigmoid unit, Adam, checkpoint and early stopping on validation.
            ``default``: first the head on cached features, then the whole network at a lower rate, with class weights
            and a cosine schedule; the checkpoint is chosen on rows set aside from the fit part. ``features``: no
            training of the network; a regularised logistic regression on its features, in seconds. ``varied``: as
            ``default``, with wider augmentation and twice the epochs.
        epochs: Maximum number of epochs of gradient training; ``features`` has none. If not set, the recipe's own.
        batch: Frames per step. Lower it when memory runs out.
        learning_rate: Peak learning rate of Adam. If not set, the recipe's own.
        weight_decay: Decoupled weight decay (recipe ``default``). If not set, the recipe's own.
        patience: Epochs without improvement after which training stops. If not set, the recipe's own.
        monitor: Metric that chooses the checkpoint.
        val_each_epoch: Measure the validation rows after every epoch, for the training curves, and not only at the end.
            ``classic`` always does, for it chooses the checkpoint on them.
        zoom: Largest relative zoom in or out: 0.2 draws factors from 0.8 to 1.2, separately for each axis.
        shear_degrees: Largest shear angle in either direction, in degrees (the unit of Keras's ``shear_range``).
        flip: Mirror half of the frames left to right at random. Turn it off where left and right matter.
        rotation_degrees: Largest rotation about the centre in either direction, in degrees. For this and the following
            changes, ``varied`` and the views of ``features`` have limits of their own if they are not set; the other
            recipes make none of them.
        translation: Largest shift along each axis, as a share of the side.
        crop: Largest share of each side that is cut off, at a random place.
        brightness: Largest relative change of all grey levels: 0.2 draws factors from 0.8 to 1.2.
        contrast: Largest relative change of the slope of the grey curve at mid-grey. Black and white stay.
        gamma: Largest difference of the exponent of the grey curve from 1.
        time_gain: Largest relative change of the levels at the near and far ends of the frame, in opposite directions,
            as with the sliders of time gain compensation.
        speckle: Largest standard deviation of multiplicative grain, as a share of the grey level.
        blur_px: Largest standard deviation of a Gaussian blur, in pixels of the network's input.
        changed_share: Share of the frames that each change from ``rotation_degrees`` on is made to, drawn for each
            change on its own.
        views: Views of each training frame that the recipe ``features`` learns from: the frame itself and, above 1,
            augmented ones, each of which takes a pass of all training frames through the network.
        seeds: Number of trainings on the same split, each with the next seed. The first one is saved and reported; the
            others show how much the result depends on chance.
        ensemble: Average ``split.folds`` models, each trained without one fold of the fit part.
        threads: Processor threads used for training. If not set, one per processor. The same number gives the
            same result, bit for bit.
    """

    recipe: Literal["default", "varied", "classic", "features"] = "default"
    epochs: Annotated[int | None, Between(1, 10_000, unset=0)] = None
    batch: Annotated[int, Between(1, 4096)] = 32
    learning_rate: Annotated[float | None, Between(1e-9, 10, unset=0)] = None
    weight_decay: Annotated[float | None, Between(0, 10, unset=-1)] = None
    patience: Annotated[int | None, Between(1, 10_000, unset=0)] = None
    monitor: Literal["loss", "recall", "accuracy", "precision", "auc"] = "loss"
    val_each_epoch: bool = False
    zoom: Annotated[float, Between(0, 0.9)] = 0.2
    shear_degrees: Annotated[float, Between(0, 60)] = 0.2
    flip: bool = True
    rotation_degrees: Annotated[float | None, Between(0, 180)] = None
    translation: Annotated[float | None, Between(0, 0.5)] = None
    crop: Annotated[float | None, Between(0, 0.9)] = None
    brightness: Annotated[float | None, Between(0, 0.9)] = None
    contrast: Annotated[float | None, Between(0, 0.9)] = None
    gamma: Annotated[float | None, Between(0, 0.9)] = None
    time_gain: Annotated[float | None, Between(0, 0.9)] = None
    speckle: Annotated[float | None, Between(0, 0.5)] = None
    blur_px: Annotated[float | None, Between(0, 5)] = None
    changed_share: Annotated[float | None, Between(0, 1)] = None
    views: Annotated[int, Between(1, 64)] = 1
    seeds: Annotated[int, Between(1, 100)] = 1
    ensemble: bool = False
    threads: Annotated[int | None, Between(1, 1024, unset=0)] = None

    @property
    def every_seed(self) -> tuple[int, ...]:
        """The seeds that training is done with, the reported one first."""
        return tuple(range(self.effective_seed, self.effective_seed + self.seeds))


@dataclass(frozen=True)
class CalibrateConfig:
    """What is chosen after training, on rows whose results are not reported.

    Attributes:
        method: How probabilities are calibrated, if groups that took no part in it gain by more than chance.
            ``isotonic`` needs 100 groups; with fewer, ``temperature`` is used.
        policy: How the threshold is chosen: ``fixed`` takes ``evaluate.threshold``, ``youden`` maximises sensitivity +
            specificity, ``sensitivity`` and ``specificity`` reach ``target``, ``cost`` minimises the expected cost.
            What the groups cannot support is not chosen, and the threshold is the fixed one.
        target: Sensitivity or specificity to reach.
        cost_false_positive: Cost of calling a negative frame positive.
        cost_false_negative: Cost of missing a positive frame, in the same unit.
        prevalence: Share of positive cases in the population where the costs arise. If not set, that of the rows.
        error: Share of wrong answers allowed; the model abstains where it would make more. 0 turns abstention off.
        least_groups: Smallest effective number of groups of each class from which anything is chosen.
    """

    method: Literal["temperature", "platt", "isotonic", "none"] = "temperature"
    policy: Literal["fixed", "youden", "sensitivity", "specificity", "cost"] = "fixed"
    target: Annotated[float, Between(0, 1)] = 0.9
    cost_false_positive: Annotated[float, Between(1e-9, 1e9)] = 1.0
    cost_false_negative: Annotated[float, Between(1e-9, 1e9)] = 1.0
    prevalence: Annotated[float | None, Between(1e-9, 0.999999, unset=0)] = None
    error: Annotated[float, Between(0, 0.5)] = 0.1
    least_groups: Annotated[int, Between(2, 10_000)] = 8


@dataclass(frozen=True)
class EvaluateConfig(_Seeded):
    """Metrics and their confidence intervals.

    Attributes:
        threshold: Probability at or above which a frame is called positive, when ``calibrate.policy`` is ``fixed``.
        confidence: Confidence level of the intervals.
        resamples: Bootstrap resamples. More give steadier limits and take longer.
        stratified: Resample the groups of each class separately. The intervals then hold for the share of positive
            groups in the sample; turn it off where that share came about by chance, as with consecutive patients.
        prevalence: Share of positive cases for which predictive values are also reported, such as that of your clinic.
            If not set, only the sample's own.
        exam: How frames become one prediction per exam: ``mean_logit``, ``mean_probability``, ``max`` (the frame most
            likely to be positive decides) or ``vote``.
    """

    threshold: Annotated[float, Between(0, 1)] = 0.5
    confidence: Annotated[float, Between(0.5, 0.999)] = 0.95
    resamples: Annotated[int, Between(100, 1_000_000)] = 2000
    stratified: bool = True
    prevalence: Annotated[float | None, Between(1e-9, 0.999999, unset=0)] = None
    exam: Literal["mean_logit", "mean_probability", "max", "vote"] = "mean_logit"


@dataclass(frozen=True)
class ExplainConfig:
    """Which frames are explained, by which methods, and how the figures are drawn.

    Attributes:
        top: Frames explained per part.
        errors: Most confident errors explained per part.
        survey: Largest number of frames per part, each from a different group, used to measure where the model looks.
        methods: Maps that are drawn and checked by the trust gate. Integrated gradients are always computed.
        baselines: Baselines of integrated gradients, the main one first: ``blur`` (the blurred frame), ``black``,
            ``mean`` (the mean grey of the tissue), ``references`` (averaged over frames of the fit part).
        steps: Maximum number of steps along the path of integrated gradients. Fewer are taken where the completeness
            gap is small enough.
        tolerance: Completeness gap, as a share of the difference in logit, below which a path has converged.
        dpi: Resolution of the figures, in dots per inch.
        label_randomisation: Also compare with a network trained on shuffled labels. Training it takes as long as the
            training itself.
        masks: Folder with a mask for each image, black outside, where the true region is known: ``a.png`` or
            ``a_mask.png`` for ``a.jpg``.
    """

    top: Annotated[int, Between(0, 1000)] = 5
    errors: Annotated[int, Between(0, 1000)] = 5
    survey: Annotated[int, Between(0, 100_000)] = 64
    methods: tuple[Literal["saliency", "integrated_gradients", "smoothgrad", "grad_cam", "occlusion"], ...] = (
        "saliency",
        "integrated_gradients",
    )
    baselines: tuple[Literal["blur", "black", "mean", "references"], ...] = ("blur", "black")
    steps: Annotated[int, Between(8, 4096)] = 256
    tolerance: Annotated[float, Between(1e-6, 1)] = 0.01
    dpi: Annotated[int, Between(50, 2400)] = 600
    label_randomisation: bool = False
    masks: str | None = None


@dataclass(frozen=True)
class ReportConfig:
    """How the report looks.

    Attributes:
        title: Heading of the report.
        dpi: Resolution of the report's figures (``figures/*.png``), in dots per inch.
    """

    title: str = "Sonoproof report"
    dpi: Annotated[int, Between(50, 2400)] = 300


@dataclass(frozen=True)
class Config:
    """All settings of a run; its own apply to every stage.

    Attributes:
        seed: Seed of everything random: the split, training and the bootstrap. The same seed gives the same result.
    """

    seed: Annotated[int, Between(0)] = 0
    sheet: SheetConfig = field(default_factory=SheetConfig)
    frames: FramesConfig = field(default_factory=FramesConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    calibrate: CalibrateConfig = field(default_factory=CalibrateConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    explain: ExplainConfig = field(default_factory=ExplainConfig)
    report: ReportConfig = field(default_factory=ReportConfig)

    def __post_init__(self) -> None:
        for name in SEEDED_TABLES:
            object.__setattr__(self, name, dataclasses.replace(getattr(self, name), run_seed=self.seed))

    def effective(self, name: str) -> dict[str, Any]:
        """The settings of a table by key, with the seed that the stage draws with."""
        table = getattr(self, name)
        values = dataclasses.asdict(table)
        if isinstance(table, _Seeded):
            values["seed"] = table.effective_seed
            del values["run_seed"]
        return values


TABLES = tuple(table.name for table in dataclasses.fields(Config) if table.name != "seed")
SEEDED_TABLES = ("split", "fit", "evaluate")
