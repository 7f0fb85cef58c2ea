"""Is a damaged JPEG or PNG ever used, or an intact one refused?

Writes frames as JPEG and PNG in many ways (grey and colour, quality, sampling, progressive, restart markers, CMYK,
MPO, orientation, trailing bytes; palette, 16 bits), damages each at a random place, and decodes it as a run does. A
file that is used although more than 1 % of its pixels are wrong is a failure; so is an intact file that is refused.

    python benchmarks/damaged_files.py --files 2000 --seed 0
    python benchmarks/damaged_files.py --files 2000 --seed 0 --frames ../frames
    python benchmarks/damaged_files.py --time
    python benchmarks/damaged_files.py --intact ../frames
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sonoproof.data.frames.facts import decode
from sonoproof.errors import FrameError
from sonoproof.phantom import PhantomConfig, write_cohort

WRONG_LEVELS, WRONG_SHARE = 8, 0.01
"""A pixel is wrong if a channel is off by more levels; a file, if more than this share of its pixels is wrong."""

MAX_PIXELS = 10**8
Rng = np.random.Generator


def phantom_frames() -> list[Image.Image]:
    """Frames of 300 x 300 pixels of twelve phantom patients."""
    with tempfile.TemporaryDirectory() as folder:
        config = PhantomConfig(patients=12, frames_per_patient=2, size_px=300, workers=1, text=True, caliper=True)
        return read_frames(write_cohort(Path(folder) / "phantom", config=config).images)


def read_frames(folder: Path) -> list[Image.Image]:
    """The images of a folder, in colour."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [Image.open(file).convert("RGB") for file in files]


def as_jpeg(image: Image.Image, rng: Rng) -> tuple[bytes, str]:
    """A frame as a JPEG of a random kind, and the kind."""
    options: dict[str, Any] = {"quality": int(rng.choice([75, 85, 90, 95])), "optimize": bool(rng.random() < 0.3)}
    kind = str(rng.choice(["colour", "grey", "progressive", "restarts", "CMYK", "MPO", "EXIF", "trailing"],
                          p=[0.35, 0.25, 0.15, 0.1, 0.03, 0.04, 0.04, 0.04]))  # fmt: skip
    if kind == "grey":
        image = image.convert("L")
    elif kind != "CMYK":
        options["subsampling"] = int(rng.integers(3))
    if kind == "CMYK":
        image = image.convert("CMYK")
    if kind == "progressive":
        options["progressive"] = True
    if kind == "restarts":
        options["restart_marker_blocks"] = int(rng.integers(1, 40))
    if kind == "EXIF":
        options["exif"] = Image.Exif()
        options["exif"][274] = int(rng.integers(1, 9))
    if kind == "MPO":
        options |= {"save_all": True, "append_images": [image.rotate(3)]}
    data = _saved(image, "MPO" if kind == "MPO" else "JPEG", **options)
    return data + (bytes(40) if kind == "trailing" else b""), f"JPEG, {kind}"


def as_png(image: Image.Image, rng: Rng) -> tuple[bytes, str]:
    """A frame as a PNG of a random kind, and the kind."""
    kind = str(rng.choice(["colour", "grey", "palette", "12 bits in 16"]))
    if kind == "grey":
        image = image.convert("L")
    elif kind == "palette":
        image = image.quantize(64)
    elif kind == "12 bits in 16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 16)
    return _saved(image, "PNG"), f"PNG, {kind}"


def _flip_bit(data: bytearray, at: int, _stop: int, rng: Rng) -> None:
    data[at] ^= 1 << int(rng.integers(8))


def _change_byte(data: bytearray, at: int, _stop: int, rng: Rng) -> None:
    data[at] = int(rng.integers(256))


def _write_noise(data: bytearray, at: int, stop: int, rng: Rng) -> None:
    length = min(int(rng.choice([16, 256])), stop - at)
    data[at : at + length] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()


def _write_constant(data: bytearray, at: int, stop: int, rng: Rng) -> None:
    length = min(int(rng.choice([2, 16, 64, 512])), stop - at)
    data[at : at + length] = bytes([int(rng.choice([0, 0x80]))]) * length


def _fill_rest(data: bytearray, at: int, stop: int, rng: Rng) -> None:
    data[at:stop] = bytes([int(rng.choice([0, 0x80]))]) * (stop - at)


def _remove(data: bytearray, at: int, stop: int, rng: Rng) -> None:
    del data[at : min(at + int(rng.integers(1, 64)), stop)]


def _remove_rest(data: bytearray, at: int, stop: int, _rng: Rng) -> None:
    del data[at:stop]


def _insert(data: bytearray, at: int, _stop: int, rng: Rng) -> None:
    data[at:at] = rng.integers(0, 255, int(rng.integers(1, 64)), dtype=np.uint8).tobytes()


def _truncate(data: bytearray, at: int, _stop: int, _rng: Rng) -> None:
    del data[at:]


DAMAGES: tuple[Callable[[bytearray, int, int, Rng], None], ...] = (
    _flip_bit, _change_byte, _write_noise, _write_constant, _fill_rest, _remove, _remove_rest, _insert, _truncate,
)  # fmt: skip


def damaged(data: bytes, rng: Rng) -> tuple[bytes, str]:
    """A file damaged at a random place of its image data, its last bytes intact, and how."""
    begin = data.find(b"\xff\xda") + 14 if data.startswith(b"\xff\xd8") else data.find(b"IDAT") + 4
    end = data.rfind(b"\xff\xd9") if data.startswith(b"\xff\xd8") else data.rfind(b"IEND") - 8
    damage = DAMAGES[int(rng.integers(len(DAMAGES)))]
    changed = bytearray(data)
    damage(changed, int(rng.integers(begin, end)), end, rng)
    return bytes(changed), damage.__name__.strip("_").replace("_", " ")


def share_wrong(data: bytes, truth: NDArray[np.uint8]) -> float | None:
    """Share of wrong pixels of a file; None if it is refused."""
    try:
        pixels = decode(data, max_pixels=MAX_PIXELS)
    except FrameError:
        return None
    if pixels.shape != truth.shape:
        return 1.0
    return float((np.abs(pixels.astype(np.int16) - truth).max(axis=2) > WRONG_LEVELS).mean())


def trials(frames: Sequence[Image.Image], files: int, rng: Rng) -> Iterator[tuple[str, str, str]]:
    """Kind, damage and outcome of each file: ``intact refused``, ``refused``, ``used``, ``used though wrong``."""
    for number in range(files):
        data, kind = (as_jpeg, as_png)[number % 2](frames[int(rng.integers(len(frames)))], rng)
        try:
            truth = decode(data, max_pixels=MAX_PIXELS)
        except FrameError as error:
            yield kind, error.reason, "intact refused"
            continue
        changed, damage = damaged(data, rng)
        wrong = share_wrong(changed, truth)
        yield kind, damage, "refused" if wrong is None else "used though wrong" if wrong > WRONG_SHARE else "used"


def count_intact(folder: Path) -> str:
    """How many JPEGs of a folder are refused, and how many of the others give the pixels that Pillow gives."""
    refused = same = 0
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    for file in files:
        try:
            pixels = decode(file, max_pixels=MAX_PIXELS)
        except FrameError as error:
            _print(f"{file}: {error.reason}")
            refused += 1
            continue
        with Image.open(file) as image:
            same += np.array_equal(pixels, np.asarray(ImageOps.exif_transpose(image).convert("RGB")))
    return f"{len(files)} files, {refused} refused, {same} as Pillow gives them"


def milliseconds_per_frame(frames: Sequence[Image.Image], *, size: tuple[int, int], rounds: int = 5) -> float:
    """Processor time of decoding a JPEG of a size, half of them grey: the best of some rounds."""
    files = []
    for number, frame in enumerate(frames):
        resized = frame.convert("L" if number % 2 else "RGB").resize(size, Image.Resampling.BICUBIC)
        files.append(_saved(resized, "JPEG", quality=(75, 90, 95)[number % 3]))
    took = []
    for _ in range(rounds):
        begun = time.process_time()
        for data in files:
            decode(data, max_pixels=MAX_PIXELS)
        took.append(1000 * (time.process_time() - begun) / len(files))
    return min(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--intact", type=Path, help="only read the JPEGs of a folder, which are intact")
    parser.add_argument("--time", action="store_true", help="only measure how long an intact JPEG takes")
    options = parser.parse_args()
    if options.intact:
        _print(count_intact(options.intact))
        return
    frames = read_frames(options.frames) if options.frames else phantom_frames()
    if options.time:
        for size in ((300, 300), (800, 600)):
            _print(f"{size[0]} x {size[1]}: {milliseconds_per_frame(frames, size=size):.2f} ms per frame")
        return
    outcomes = list(trials(frames, options.files, np.random.default_rng(options.seed)))
    for by, which in (("kind", 0), ("damage", 1)):
        counts = Counter((outcome[which], outcome[2]) for outcome in outcomes)
        names = ("refused", "used", "used though wrong", "intact refused")
        _print(f"| {by} | {' | '.join(names)} |")
        for name in sorted({key for key, _ in counts}):
            _print(f"| {name} | {' | '.join(str(counts[name, outcome]) for outcome in names)} |")


def _print(line: str) -> None:
    print(line)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
