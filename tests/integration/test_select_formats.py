"""``nnunet_slpt_select`` on every kind of dataset that nnU-Net reads: both passes, from the raw files on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import tifffile
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from skimage import io

from nnunet_slpt.selection.cli import main
from nnunet_slpt.trainers import nnUNetTrainerSLPT

DATASET = "Dataset802_Formats"
CASES = 5
SHAPE = (18, 20, 17)


@dataclass(frozen=True)
class Kind:
    """A kind of dataset.

    Args:
        ending: of its files.
        reader: nnU-Net's.
        channels: of a case.
        files: of a case.
        flat: 2D pictures.
        listed: in an entry ``dataset`` of dataset.json, in a folder of their own.
    """

    ending: str
    reader: str = "SimpleITKIO"
    channels: int = 1
    files: int = 1
    flat: bool = False
    listed: bool = field(default=False, kw_only=True)


KINDS = {
    "nii": Kind(".nii", "NibabelIO"),
    "nrrd": Kind(".nrrd"),
    "mha": Kind(".mha"),
    "two channels": Kind(".nii.gz", channels=2, files=2),
    "tif": Kind(".tif", "Tiff3DIO"),
    "png": Kind(".png", "NaturalImage2DIO", flat=True),
    "colour png": Kind(".png", "NaturalImage2DIO", channels=3, flat=True),
    "listed": Kind(".nii.gz", listed=True),
}


def write_picture(file: Path, voxels: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".png":
        io.imsave(str(file), voxels.astype(np.uint8), check_contrast=False)
    elif file.suffix == ".tif":
        tifffile.imwrite(file, voxels.astype(np.float32))
        spacing = file.with_name(file.name.removesuffix("_0000.tif") + ".json")
        spacing.write_text(json.dumps({"spacing": [1, 1, 1]}))
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels.astype(np.float32)), str(file))


def write_raw(folder: Path, kind: Kind) -> None:
    """Cases of noise, each brighter than the one before; not one of them labelled."""
    random = np.random.default_rng(0)
    about: dict[str, Any] = {
        "channel_names": {str(channel): "MRI" for channel in range(kind.channels)},
        "labels": {"background": 0, "organ": 1},
        "numTraining": CASES,
        "file_ending": kind.ending,
    }
    images = folder / ("scans" if kind.listed else "imagesTr")
    for case in range(CASES):
        inside = kind.channels // kind.files  # channels in one file
        shape = (*SHAPE[-2:], inside) if inside > 1 else SHAPE[-2:] if kind.flat else SHAPE
        names = [f"case_{case}_{number:04d}{kind.ending}" for number in range(kind.files)]
        for name in names:
            write_picture(images / name, random.uniform(0, 40, shape) + 40 * case)
        if kind.listed:
            files = {"images": [f"scans/{name}" for name in names], "label": f"labelsTr/case_{case}.nii.gz"}
            about.setdefault("dataset", {})[f"case_{case}"] = files
    (folder / "dataset.json").write_text(json.dumps(about))


def write_model(task: Any, kind: Kind, trainer_class: type[nnUNetTrainer]) -> Path:
    """A model folder for such datasets, of untrained weights."""
    raw = task.raw / DATASET
    about = json.loads((raw / "dataset.json").read_text())
    plans = json.loads(task.plans_file.read_text()) | {
        "image_reader_writer": kind.reader,
        "continue_training": False,
    }
    for configuration in plans["configurations"].values():
        for key in ("normalization_schemes", "use_mask_for_norm"):
            configuration[key] *= kind.channels
    properties = plans["foreground_intensity_properties_per_channel"]
    properties |= {str(channel): properties["0"] for channel in range(kind.channels)}
    torch.manual_seed(0)
    trainer = trainer_class(plans, "2d" if kind.flat else "3d_fullres", 0, about, torch.device("cpu"))
    trainer.initialize()
    folder = Path(trainer.output_folder_base)
    trainer.save_checkpoint(str(folder / "fold_0" / "checkpoint_final.pth"))
    for name, content in (("plans", trainer.plans_manager.plans), ("dataset", about)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_both_passes_read_it(
    task: Any, kind: Kind, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    write_raw(task.raw / DATASET, kind)
    quick = ("-d", "802", "-device", "cpu", "-npp", "0", "-nps", "1", "--disable_tta", "--hide_labels")
    home = task.preprocessed / DATASET / "slpt_selection"
    chosen: list[str] = []
    for number, trainer in enumerate((nnUNetTrainer, nnUNetTrainerSLPT)):
        model = write_model(task, kind, trainer)
        assert main([*quick, "-n", "2", "-m", str(model)]) == 0, capsys.readouterr().err
        made = json.loads((home / f"round_{number:02d}.json").read_text())
        assert made["strategy"] == ("kmeans", "hybrid")[number]
        values = [case["value"] for case in made["cases"]]
        assert np.isfinite(values).all()
        assert len({*values}) > 1, "the images were not told apart"
        chosen += [case["name"] for case in made["cases"] if case["chosen"]]
    assert len({*chosen}) == 4
