"""The two environments: this one, in which the driver runs, and the peer's own, made where it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

__all__ = ["ROOT", "environment_of", "peer_python"]

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "benchmarks" / "peer" / "requirements.txt"


def peer_python(folder: Path) -> Path:
    """The interpreter of the peer's environment, made from `REQUIREMENTS` if it is missing or of other versions."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp = folder / "installed.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted):
        print(f"installing the peer into {folder.name} (TensorFlow, about 300 MB)", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
        stamp.write_text(wanted, encoding="utf-8")
    return python


def environment_of(threads: int) -> dict[str, str]:
    """Environment variables under which every library keeps to as many threads."""
    count = str(threads)
    return {
        **os.environ,
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
