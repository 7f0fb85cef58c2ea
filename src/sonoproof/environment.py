"""What machine and which versions this is, for a bug report."""

from __future__ import annotations

import os
import platform

from sonoproof import __version__
from sonoproof.manifest import library_versions


def describe() -> dict[str, str]:
    """Versions, processors and devices by name."""
    import torch

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "sonoproof": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": str(os.cpu_count()),
        "CUDA devices": ", ".join(devices) or "none",
        **library_versions(),
    }
