"""What every stage is given: one object for a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from sonoproof.classes import Classes
from sonoproof.config import Config
from sonoproof.data.cohort.image_id import located
from sonoproof.data.frames.frames import Frames
from sonoproof.data.frames.masks import Masks
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.data.frames.store import FrameStore, open_store
from sonoproof.data.split.leakage import check_no_leak
from sonoproof.inference.engines import TorchEngine
from sonoproof.inference.scoring import Scores, score_rows
from sonoproof.manifest import Manifest
from sonoproof.parts import REPORTED, Part
from sonoproof.progress import SILENT, Reporter
from sonoproof.runfolder import PREDICTION_COLUMNS, RECORD_COLUMNS, SPLIT_COLUMNS, RunFolder, read_json, read_table
from sonoproof.training.backbone import backbone_image_size
from sonoproof.training.bundle import ModelBundle, load_bundle
from sonoproof.training.features import FrameFeatures


@dataclass(frozen=True)
class Inputs:
    """What a user gives.

    Attributes:
        sheet: The label sheet.
        images: Folder with its images.
        test_images: Folder with test images, or None.
        test_sheet: Sheet that labels them, or None.
    """

    sheet: Path
    images: Path
    test_images: Path | None = None
    test_sheet: Path | None = None


@dataclass(frozen=True)
class RunContext:
    """A run as a stage sees it. What it reads from the folder is read once, when it is first asked for.

    A context lives for one stage: the next stage reads again what this one has written.

    Attributes:
        run: The run folder.
        config: The settings.
        inputs: What the user gave; None where a single stage is done again from the folder.
        reporter: Receives messages and progress.
        resume: Whether the stage may continue from where an earlier attempt was killed.
        notes: The lines told so far, for the manifest.
    """

    run: RunFolder
    config: Config
    inputs: Inputs | None = None
    reporter: Reporter = SILENT
    resume: bool = False
    notes: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Tell the reader of the terminal a line; the manifest keeps it."""
        self.notes.append(line)
        self.reporter.say(line)

    def progress(self, done: int, total: int) -> None:
        """Tell how far the stage is."""
        self.reporter.progress(done, total)

    @cached_property
    def classes(self) -> Classes:
        """The two classes of the cohort."""
        return Classes.from_dict(read_json(self.run.cohort, schema="cohort")["classes"])

    @cached_property
    def group_columns(self) -> tuple[str, ...]:
        """Columns of the sheet whose values are kept together."""
        return tuple(read_json(self.run.cohort, schema="cohort")["group_columns"])

    @cached_property
    def records(self) -> pd.DataFrame:
        """Every usable row, as the audit wrote it."""
        return read_table(self.run.records, columns=RECORD_COLUMNS)

    @cached_property
    def located_records(self) -> pd.DataFrame:
        """The records with the paths where their images are now; the tables keep those of the first reading."""
        return located(self.records, folders=self._image_folders)

    @property
    def _image_folders(self) -> dict[str, Path]:
        """Where the images are now, by origin, where that is known: as the user says, or beside the run as before."""
        if self.inputs is not None:
            given = {"sheet": self.inputs.images, "test": self.inputs.test_images}
            return {origin: folder for origin, folder in given.items() if folder is not None}
        manifest, folders = Manifest(self.run), {}
        for origin, name in (("sheet", "images"), ("test", "test_images")):
            paths = self.records.loc[self.records["origin"] == origin, "path"]
            beside = manifest.input_beside_run(name)
            if len(paths) and beside is not None and not Path(paths.iloc[0]).exists():
                folders[origin] = beside
        return folders

    @cached_property
    def split_records(self) -> pd.DataFrame:
        """The records with their part, use and fold.

        Raises:
            LeakageError: A group is on two sides.
        """
        parts = read_table(self.run.split, columns=SPLIT_COLUMNS)
        check_no_leak(parts, self.records, columns=self.group_columns)
        return self.records.merge(parts[["image_id", "part", "use", "fold"]], on="image_id", validate="one_to_one")

    @property
    def reported_records(self) -> dict[Part, pd.DataFrame]:
        """The rows of each part that the saved model is reported on, where there are any."""
        table = self.split_records
        parts = {part: table[table["part"] == part] for part in REPORTED}
        return {part: rows for part, rows in parts.items() if len(rows)}

    @property
    def predictions(self) -> dict[Part, pd.DataFrame]:
        """The predictions of each part that the saved model is reported on, where there are any."""
        paths = {part: self.run.predictions(part) for part in REPORTED}
        return {part: read_table(path, columns=PREDICTION_COLUMNS) for part, path in paths.items() if path.is_file()}

    @property
    def preprocessing(self) -> Preprocessing:
        """How a frame is brought to the network's size."""
        size = self.config.frames.size or backbone_image_size(self.config.model)
        return Preprocessing(size=size, aspect=self.config.frames.aspect, bits=self._bits)

    @property
    def _bits(self) -> int | None:
        """The depth of the frames as the audit found it; None in runs of earlier versions."""
        known = read_json(self.run.cohort, schema="cohort").get("bits") if self.run.cohort.is_file() else None
        return self.config.frames.bits or known

    @cached_property
    def store(self) -> FrameStore:
        """The store of decoded frames."""
        return open_store(self.run.store, preprocessing=self.preprocessing, frames=self.config.frames)

    @cached_property
    def frames(self) -> Frames:
        """The frames by image id; what the store lacks is decoded into it."""
        return Frames(self.located_records, store=self.store, progress=self.progress)

    @cached_property
    def masks(self) -> Masks | None:
        """The truth masks by image id; None where no folder of masks was given.

        Raises:
            ConfigError: There is no such folder.
        """
        folder, limit = self.config.explain.masks, self.config.frames.max_pixels
        return Masks(Path(folder), preprocessing=self.preprocessing, max_pixels=limit) if folder else None

    @cached_property
    def features(self) -> FrameFeatures:
        """The backbone's features by image id; computed for all frames when first asked for, and kept on disk."""
        return FrameFeatures(
            self.frames,
            image_ids=sorted(self.records["image_id"]),
            folder=self.run.store,
            model=self.config.model,
            seed=self.config.fit.effective_seed,
            progress=self.progress,
        )

    @cached_property
    def bundle(self) -> ModelBundle:
        """The saved model."""
        return load_bundle(self.run.model)

    def score(self, bundle: ModelBundle, rows: pd.DataFrame) -> Scores:
        """The logits and the novelty of rows, in their order."""
        engine = TorchEngine(bundle, device=self.config.model.device)
        return score_rows(engine, list(rows["image_id"]), load=self.frames, progress=self.progress)
