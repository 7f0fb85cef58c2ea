"""Phantom cohorts by their settings: the same settings are simulated once in a session."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict

from tests.support.shelf import Shelf

from sonoproof.phantom import PhantomCohort, PhantomConfig, write_cohort

MakePhantom = Callable[..., PhantomCohort]

SMALL = {"patients": 24, "frames_per_patient": 4, "size_px": 96, "workers": 1}


def phantom_of(shelf: Shelf, config: PhantomConfig) -> PhantomCohort:
    """The cohort of these settings, to be read only; its bytes do not depend on the number of workers."""
    settings = {**asdict(config), "workers": None}
    key = hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:16]
    return shelf.once(f"phantom-{key}", lambda folder: write_cohort(folder, config=config))
