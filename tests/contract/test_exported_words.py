"""An exported file is enough: the lines of docs/prediction.md, run as they stand, answer as `sonoproof predict`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from PIL import Image
from tests.support.bundles import lively_bundle, with_spec
from tests.support.phantoms import MakePhantom
from tests.support.shared import ROOT

from sonoproof.config import FramesConfig
from sonoproof.data.frames.decode import decode_bytes
from sonoproof.data.frames.preprocessing import Aspect, Preprocessing
from sonoproof.inference.engine_selection import open_engine
from sonoproof.inference.engines import TorchEngine
from sonoproof.inference.export import export_onnx
from sonoproof.inference.files import FileAnswer, predict_files
from sonoproof.training.bundle import ModelBundle, save_bundle
from sonoproof.training.novelty import NoveltyScorer, fit_novelty
from sonoproof.training.verdict import UNLIKE, Abstention, Decision, OperatingPoint

Pixels = npt.NDArray[np.uint8]

PAGE = ROOT / "docs" / "prediction.md"
SIZE = 64
# Height and width: wide, tall and square, larger and smaller than the canvas, and two that round a half.
SHAPES = [(301, 211), (187, 301), (301, 37), (41, 57), (63, 29), (33, 33), (128, 31), (25, 128), (65, 64), (1, 9)]


@pytest.fixture(scope="module")
def scans(make_phantom: MakePhantom) -> list[Pixels]:
    """Two simulated frames as RGB, one grey, one tinted, 301 pixels wide."""
    cohort = make_phantom(patients=2, frames_per_patient=1, size_px=301, image_format="png")
    grey, other = (decode_bytes(path.read_bytes(), max_pixels=10**6).pixels for path in _images(cohort.images))
    return [_at_least(grey), np.rint(_at_least(other) * [1.0, 0.8, 0.55]).astype(np.uint8)]


@pytest.fixture(scope="module")
def files(scans: list[Pixels], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Odd pieces of the frames in every layout that the page names."""
    folder, turned = tmp_path_factory.mktemp("frames"), Image.Exif()
    compressed: dict[str, Any] = {"quality": 85, "exif": turned}
    turned[274] = 6  # the orientation: a quarter turn
    written = []
    for number, (height, width) in enumerate(SHAPES):
        colour = Image.fromarray(np.ascontiguousarray(scans[1][-height:, :width]))
        grey = Image.fromarray(np.ascontiguousarray(scans[0][-height:, -width:])).convert("L")
        for name, picture, settings in [
            (f"colour{number}.png", colour, {}),
            (f"grey{number}.bmp", grey, {}),
            (f"palette{number}.png", colour.quantize(32), {}),
            (f"scan{number}.jpg", colour, compressed),
        ]:
            picture.save(folder / name, **settings)
            written.append(folder / name)
    return written


@pytest.fixture(scope="module", params=[0.48, 0.55, 1.0], ids=["neither possible", "both possible", "always answers"])
def bundle(request: pytest.FixtureRequest, files: list[Path]) -> ModelBundle:
    """A small network that is sure of some of the frames only, and to which some are unlike."""
    plain = lively_bundle(size=SIZE)
    canvases = np.stack(
        [plain.spec.preprocessing(decode_bytes(f.read_bytes(), max_pixels=10**6).pixels) for f in files]
    )
    _spread_logits(plain, canvases)
    abstention = Abstention(error=0.1 if request.param < 1 else 0.0, quantile=request.param)
    return with_spec(
        plain,
        decision=Decision(plain.spec.decision.calibration, OperatingPoint(threshold=0.5), abstention),
        novelty=fit_novelty(canvases[::2], held_out=canvases[1::5], groups=np.arange(len(canvases[1::5]))),
    )


def _spread_logits(bundle: ModelBundle, canvases: Pixels) -> None:
    """Set the last layer so that half of the frames are called positive, some of them with little to spare."""
    (member,) = bundle.classifier.members
    logits = TorchEngine(bundle, device="cpu").logits(canvases)
    scale = 0.4 / float(logits.std())
    with torch.no_grad():
        member.head.weight.mul_(scale)
        member.head.bias.sub_(float(np.median(logits))).mul_(scale)


@pytest.fixture(scope="module")
def exported(bundle: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export_onnx(bundle, out=folder / "model.onnx")
    return folder / "model.onnx"


@pytest.fixture(scope="module")
def predicted(bundle: ModelBundle, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[FileAnswer]:
    """What `sonoproof predict` says of the saved model, which never was an ONNX file."""
    folder = tmp_path_factory.mktemp("run")
    save_bundle(bundle, folder / "model")
    engine = open_engine(folder, engine="torch", device="cpu", say=lambda _line: None)
    return predict_files(engine, files=files, frames=FramesConfig(workers=1))


@pytest.mark.slow
def test_the_lines_of_the_page_answer_as_predict_does(
    exported: Path, bundle: ModelBundle, files: list[Path], predicted: list[FileAnswer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported.parent)
    answers = set()
    for file, wanted in zip(files, predicted, strict=True):
        Path("frame.png").write_bytes(file.read_bytes())  # what a file is, its content says
        found = _lines_of_the_page_run()
        assert found["logit"] == pytest.approx(wanted.logit, abs=1e-4), file.name
        assert found["probability"] == pytest.approx(wanted.probability, abs=1e-4), file.name
        assert found["names"][found["predicted"]] == wanted.predicted, file.name
        if wanted.answer != UNLIKE:  # the one answer that the page says it cannot give
            assert found["answer"] == wanted.answer, file.name
            answers.add(found["answer"])
    assert answers == {"healthy", "unhealthy", *(["not sure"] if bundle.spec.decision.abstention.error else [])}
    assert np.ptp([answer.probability for answer in predicted]) > 0.1


def test_likeness_is_had_from_the_file_as_the_metadata_say(
    exported: Path, bundle: ModelBundle, files: list[Path], predicted: list[FileAnswer]
) -> None:
    said = _metadata(exported)
    assert "NoveltyScorer.from_dict(card['likeness']).score(frames)" in said["unlike"]
    card = json.loads(said["sonoproof"])
    frames = np.stack([bundle.spec.preprocessing(decode_bytes(f.read_bytes(), max_pixels=10**6).pixels) for f in files])
    score = NoveltyScorer.from_dict(card["likeness"]).score(frames)
    assert score == pytest.approx([answer.novelty for answer in predicted], abs=1e-6)
    assert [answer.answer == UNLIKE for answer in predicted] == (score > 1).tolist()
    assert 0 < (score > 1).sum() < len(score)


def test_the_words_hold_the_numbers_of_the_answer(exported: Path, bundle: ModelBundle) -> None:
    said, abstention = _metadata(exported), bundle.spec.decision.abstention
    assert f"from probability {bundle.spec.decision.operating_point.threshold!r} on" in said["operating_point"]
    if abstention.error:
        assert f"'unhealthy' is possible if 1 - p <= {abstention.quantile!r}" in said["not_sure"]
        assert f"'healthy' if p <= {abstention.quantile!r}" in said["not_sure"]
    else:
        assert said["not_sure"].startswith("never")


def test_what_was_not_learned_is_not_promised(tmp_path: Path) -> None:
    export_onnx(with_spec(lively_bundle(size=33), novelty=None), out=tmp_path / "model.onnx")
    assert _metadata(tmp_path / "model.onnx")["unlike"].startswith("not known")


@pytest.mark.parametrize("aspect", ["pad", "stretch", "crop"])
@pytest.mark.parametrize(("height", "width"), [*SHAPES, (41, 300), (300, 41), (2, 301)])
def test_the_steps_of_before_input_give_the_canvas(
    scans: list[Pixels], aspect: Aspect, height: int, width: int, tmp_path: Path
) -> None:
    image = np.ascontiguousarray(scans[1][-height:, :width])
    height, width = image.shape[:2]
    wanted = Preprocessing(SIZE, aspect=aspect)(image)
    if aspect == "crop":
        side = min(width, height)
        top, left = (height - side) // 2, (width - side) // 2
        image, width, height = image[top : top + side, left : left + side], side, side
    w, h = SIZE, SIZE
    if aspect == "pad":
        longer = max(width, height)
        w, h = max(1, round(SIZE * width / longer)), max(1, round(SIZE * height / longer))
    once = cv2.resize(image, (min(w, width), min(h, height)), interpolation=cv2.INTER_AREA)
    twice = cv2.resize(once, (w, h), interpolation=cv2.INTER_LINEAR_EXACT)
    canvas = np.zeros((SIZE, SIZE, 3), np.uint8)
    canvas[(SIZE - h) // 2 :, (SIZE - w) // 2 :][:h, :w] = twice
    assert np.array_equal(canvas, wanted)


@pytest.mark.parametrize("aspect", ["pad", "stretch", "crop"])
def test_the_words_name_the_operations_of_each_aspect(aspect: Aspect, tmp_path: Path) -> None:
    bundle = with_spec(lively_bundle(size=33), preprocessing=Preprocessing(33, aspect=aspect))
    export_onnx(bundle, out=tmp_path / "model.onnx")
    words = _metadata(tmp_path / "model.onnx")["before_input"]
    order = ["(min(w, width), min(h, height)), interpolation=cv2.INTER_AREA", "interpolation=cv2.INTER_LINEAR_EXACT"]
    assert 0 < words.index(order[0]) < words.index(order[1])
    assert ("w = max(1, round(33 * width / longer))" in words) == (aspect == "pad")
    assert ("(33 - w) // 2" in words) == (aspect == "pad")
    assert ("top = (height - side) // 2" in words) == (aspect == "crop")


@pytest.mark.parametrize("white", [255, 4095, 65535])
def test_depth_and_alpha_are_decoded_as_the_words_say(scans: list[Pixels], white: int) -> None:
    """The rules of `decoding` that cv2.imread does not follow by itself, by their arithmetic alone."""
    deep = np.rint(scans[1][:61, :47].astype(np.float64) / scans[1][:61, :47].max() * white).astype(np.uint16)
    alpha = np.random.default_rng(0).integers(0, 65536, (61, 47, 1), dtype=np.uint16)
    found = decode_bytes(_png(np.dstack([deep[..., ::-1], alpha])), max_pixels=10**6).pixels
    assert np.array_equal(found, np.rint(np.rint(deep * (255.0 / white)) * (alpha / 65535.0)))
    shallow = np.dstack([scans[1][:61, :47, ::-1], alpha >> 8]).astype(np.uint8)
    found = decode_bytes(_png(shallow), max_pixels=10**6).pixels
    assert np.array_equal(found, np.rint(shallow[..., 2::-1] * (shallow[..., 3:] / 255.0)))


def _lines_of_the_page_run() -> dict[str, Any]:
    (lines,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(lines, PAGE.name, "exec"), names)
    return names


def _metadata(model: Path) -> dict[str, str]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return dict(session.get_modelmeta().custom_metadata_map)


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.png"))


def _at_least(frame: Pixels, *, side: int = 301) -> Pixels:
    """The frame mirrored at its lower and right edge to at least this size."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, max(0, side - height)), (0, max(0, side - width)), (0, 0)), mode="symmetric")


def _png(bgr: npt.NDArray[Any]) -> bytes:
    return bytes(cv2.imencode(".png", bgr)[1])
