"""What every stage is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sonoproof.config import Config
from sonoproof.runfolder import RunFolder

__all__ = ["Inputs", "Job"]


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
class Job:
    """What every stage is given.

    Attributes:
        run: The run folder.
        config: The settings.
        inputs: What the user gave; None where a single stage is run again from the folder.
        say: Takes a line for the reader of the terminal.
        progress: Told what is done and what there is to do.
        resume: Whether the stage may go on from where an earlier attempt was killed.
    """

    run: RunFolder
    config: Config
    inputs: Inputs | None
    say: Callable[[str], None]
    progress: Callable[[int, int], None]
    resume: bool = False
