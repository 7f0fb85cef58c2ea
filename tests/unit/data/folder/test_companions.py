"""What of a folder is no sample, and what only looks like it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.support.shared import ROOT

from sonoproof.data.folder.companions import is_mask
from sonoproof.data.folder.filerules import FILE_RULES
from sonoproof.data.folder.imagefolder import describe_left_out, search_folder
from sonoproof.data.folder.references import index_images, match_reference
from sonoproof.data.frames.masks import Masks
from sonoproof.data.frames.preprocessing import Preprocessing
from sonoproof.errors import ConfigError

FRAME = np.random.default_rng(0).integers(0, 256, (24, 30)).astype(np.uint8)
MASK = np.zeros((24, 30), np.uint8)
MASK[5:12, 6:20] = 255


def write(folder: Path, *names: str, pixels: np.ndarray = FRAME) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, "PNG")
    return folder


def left_out(folder: Path) -> dict[str, str]:
    return {item.path: item.kind.name for item in search_folder(folder).left_out}


def test_the_page_shows_the_rules_of_the_code() -> None:
    table = (ROOT / "docs" / "data.md").read_text().split("| what | names | evidence |\n")[1].partition("\n\n")[0]
    assert table.splitlines()[1:] == [f"| {rule.kind.value} | {rule.names} | {rule.evidence} |" for rule in FILE_RULES]


@pytest.mark.parametrize(
    "name",
    ["x_mask.png", "x_mask_1.png", "x-mask2.png", "X_Mask.PNG", "mask_x.png", "x_seg.png", "x.seg.png", "x_gt.png",
     "x_label.png", "x_tumor.png", "x_segmentation.png", "x_ground_truth.png", "x mask.png"],
)  # fmt: skip
def test_a_mask_beside_its_frame_is_left_out(name: str, tmp_path: Path) -> None:
    write(tmp_path, "x.png", "y.png")
    write(tmp_path, name, pixels=MASK)
    assert left_out(tmp_path) == {name: "MASK"}
    assert search_folder(tmp_path).images == ("x.png", "y.png")


@pytest.mark.parametrize("name", ["z_mask.png", "masked.png", "xmask.png", "x_2.png", "mask.png", "x_left.png"])
def test_without_the_frame_or_the_word_nothing_is_left_out(name: str, tmp_path: Path) -> None:
    write(write(tmp_path, "x.png"), name, pixels=MASK)
    assert left_out(tmp_path) == {}


def test_a_picture_with_the_name_of_a_mask_is_a_frame(tmp_path: Path) -> None:
    write(tmp_path, "x.png", "x_label.png", "x_lesion.png")
    assert left_out(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x_overlay.png", "OVERLAY"), ("x_annotated.png", "OVERLAY"), ("x_thumb.png", "THUMBNAIL"),
     ("x.preview.png", "THUMBNAIL"), ("thumb_x.png", "THUMBNAIL")],
)  # fmt: skip
def test_copies_of_a_frame_are_left_out(name: str, kind: str, tmp_path: Path) -> None:
    write(tmp_path, "x.png", name)
    assert left_out(tmp_path) == {name: kind}


def test_masks_in_a_folder_beside_that_of_the_frames_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "images/benign/1.png", "images/benign/2.png", "mass/1.png", "normal/1.png")
    write(tmp_path, "masks/benign/1.png", "segmentations/benign/2_mask.png", "masks/benign/9.png", pixels=MASK)
    assert left_out(tmp_path) == {"masks/benign/1.png": "MASK", "segmentations/benign/2_mask.png": "MASK"}


def test_litter_of_systems_and_our_own_output_are_left_out_and_named(tmp_path: Path) -> None:
    litter = ["@eaDir/x.png/SYNOPHOTO_THUMB_M.png", "#recycle/a.png", "$RECYCLE.BIN/a.png", ".Trash-1000/a.png",
              "System Volume Information/a.png", "lost+found/a.png", "__MACOSX/._x.png",
              "run/figures/roc.png"]  # fmt: skip
    write(tmp_path, "x.png", "SYNOPHOTO_THUMB_XL.png", "._x.png", "eadir/x.png", *litter)
    (tmp_path / "run" / "manifest.json").write_text('{"sonoproof": "0.2.0"}')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.json").write_text("[]")
    (tmp_path / "#snapshot").mkdir()
    assert search_folder(tmp_path).images == ("eadir/x.png", "x.png")
    told = describe_left_out(search_folder(tmp_path).left_out)
    assert told == {
        "hidden": "2: .Trash-1000/, ._x.png",
        "of the system": "7: #recycle/, $RECYCLE.BIN/, @eaDir/, …",
        "output of Sonoproof": "1: run/",
    }


def test_content_decides_what_an_image_is(tmp_path: Path) -> None:
    write(tmp_path, "IM_0001", "scan.dat", "wrong.jpg")
    (tmp_path / "IM_0002").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "notes").write_text("BMI is in column C, as everyone knows")
    contents = search_folder(tmp_path)
    assert contents.images == ("IM_0001", "IM_0002", "scan.dat", "wrong.jpg")
    assert contents.others == ("notes",)


def test_a_sheet_that_names_a_companion_gets_it(tmp_path: Path) -> None:
    write(write(tmp_path, "a/x.png"), "a/x_mask.png", pixels=MASK)
    index = index_images(tmp_path)
    assert index.files == ("a/x.png",)
    assert match_reference(index, "x").file == "a/x.png"
    for reference in ("a/x_mask.png", "x_mask.png", "X_MASK"):
        assert match_reference(index, reference).file == "a/x_mask.png"
    assert index.holds("x")
    assert not index.holds("x_mask.png")  # a column of masks is not the column of the images


def test_few_levels_make_a_mask() -> None:
    assert is_mask(MASK)
    assert is_mask(np.zeros((5, 5), np.uint8))
    soft = MASK.copy()
    soft[5] = 128
    assert is_mask(soft)
    assert not is_mask(FRAME)
    dark = FRAME // 3
    dark[:, :20] = 0
    assert not is_mask(dark)


def masks(folder: Path) -> Masks:
    return Masks(folder, preprocessing=Preprocessing(24, "stretch"), max_pixels=10**6)


def test_masks_named_for_their_frames_are_joined(tmp_path: Path) -> None:
    write(tmp_path / "in", "a/x.png", "a/y.png")
    write(tmp_path / "in", "a/x_mask.png", pixels=MASK)
    write(tmp_path / "in", "a/x_mask_1.png", pixels=MASK[::-1])
    found = masks(tmp_path / "in")
    assert found.check_fit(["a/x.png", "a/y.png"]) == 1
    one, both = masks(write(tmp_path / "one", "a/x.png", pixels=MASK))("a/x.png"), found("test:a/x.png")
    assert one is not None
    assert both is not None
    assert both.sum() > one.sum() > 0
    assert found("a/y.png") is None


def test_frames_are_no_masks_and_a_folder_that_fits_nothing_says_so(tmp_path: Path) -> None:
    write(tmp_path, "x.png")
    with pytest.raises(ConfigError, match=r"x.png is a picture with many grey levels, not a mask"):
        masks(tmp_path).check_fit(["x.png"])
    with pytest.raises(
        ConfigError, match=r"holds no mask of a frame, but for example x.png. The mask of p1/a.jpg would"
    ):
        masks(tmp_path).check_fit(["p1/a.jpg"])
