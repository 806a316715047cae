"""Write a synthetic CT dataset in nnU-Net's raw format, for the demo, the tests and the benchmarks.

Owns files and names; the scans come from ``phantom``. Needs SimpleITK; must not import torch or nnU-Net.

Example::

    python examples/demo/synthetic_ct.py --output nnUNet_raw --cases 20 --test-cases 8 --seed 1
"""

__all__ = ["LABELS", "main", "write_dataset"]

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from own_folder import MARK, begin_dataset
from phantom import SyntheticCT, make_case
from tqdm import tqdm

LABELS = ("organ", "lesion")
FILE_ENDING = ".nii.gz"


def write_dataset(
    raw_folder: Path,
    dataset_id: int,
    name: str,
    cases: int,
    *,
    test_cases: int = 0,
    labels: Sequence[str] = LABELS,
    seed: int = 0,
    spec: SyntheticCT | None = None,
) -> Path:
    """Write ``DatasetXXX_Name`` with training and test cases; what was there of them is removed.

    Test cases are numbered after the training cases and have labels too, in ``labelsTs``.

    Args:
        raw_folder: the folder ``nnUNet_raw``.
        dataset_id: nnU-Net's dataset number, 1 to 999.
        name: nnU-Net's dataset name.
        cases: number of training cases.
        test_cases: number of test cases.
        labels: foreground labels, numbered from 1 in this order. Without "lesion" a lesion belongs to the
            organ; without "organ" the organ belongs to the background.
        seed: seed of the dataset.
        spec: how scans are made.

    Returns:
        The folder of the dataset.

    Raises:
        ValueError: a label is unknown or given twice, a number is out of range, or there is a dataset of this
            name that is not the demo's.
    """
    if not labels or set(labels) - set(LABELS) or len(set(labels)) < len(labels):
        raise ValueError(f"labels: got {list(labels)}; expected one or both of {list(LABELS)}, each once")
    if not 0 < dataset_id < 1000 or cases < 1 or test_cases < 0:
        raise ValueError(f"dataset_id {dataset_id}, cases {cases}, test_cases {test_cases}: out of range")
    spec = spec or SyntheticCT()
    folder = raw_folder / f"Dataset{dataset_id:03d}_{name}"
    begin_dataset(folder, _dataset_json(labels, cases, seed))
    for case in tqdm(range(cases + test_cases), desc=folder.name):
        image, tissue = make_case(seed, case, spec)
        part = "Tr" if case < cases else "Ts"
        _write(image, folder / f"images{part}" / f"{name.lower()}_{case:03d}_0000{FILE_ENDING}", spec)
        _write(
            _number(tissue, labels),
            folder / f"labels{part}" / f"{name.lower()}_{case:03d}{FILE_ENDING}",
            spec,
        )
    return folder


def _number(tissue: NDArray[np.uint8], labels: Sequence[str]) -> NDArray[np.uint8]:
    """Turn the phantom's numbers (1 organ, 2 lesion) into those of the dataset."""
    organ = labels.index("organ") + 1 if "organ" in labels else 0
    lesion = labels.index("lesion") + 1 if "lesion" in labels else organ
    return np.array([0, organ, lesion], dtype=np.uint8)[tissue]


def _write(voxels: NDArray[Any], path: Path, spec: SyntheticCT) -> None:
    """Write a volume ``(Z, Y, X)`` with its spacing and the origin in its middle."""
    image: Any = SimpleITK.GetImageFromArray(voxels)
    spacing_mm = [float(s) for s in spec.spacing_mm[::-1]]
    image.SetSpacing(spacing_mm)
    image.SetOrigin([-s * (n - 1) / 2 for s, n in zip(spacing_mm, spec.shape[::-1], strict=True)])
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path), useCompression=True)


def _dataset_json(labels: Sequence[str], cases: int, seed: int) -> dict[str, Any]:
    """Describe the dataset as nnU-Net wants it."""
    numbered = {"background": 0} | {label: number for number, label in enumerate(labels, start=1)}
    return {
        "channel_names": {"0": "CT"},
        "labels": numbered,
        "numTraining": cases,
        "file_ending": FILE_ENDING,
        "description": f"Synthetic CT, {MARK}/synthetic_ct.py with seed {seed}",
    }


def _parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    default = SyntheticCT()
    parser = argparse.ArgumentParser(
        description="Write a synthetic abdominal CT dataset in nnU-Net's raw format.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--output", type=Path, required=True, help="the folder nnUNet_raw")
    parser.add_argument("--cases", type=int, default=20, help="training cases")
    parser.add_argument(
        "--test-cases", type=int, default=0, help="test cases, written to imagesTs and labelsTs"
    )
    parser.add_argument("-d", "--dataset-id", type=int, default=802, help="nnU-Net's dataset number")
    parser.add_argument("--name", default="SyntheticLesions", help="nnU-Net's dataset name")
    parser.add_argument("--labels", nargs="+", choices=LABELS, default=list(LABELS), help="foreground labels")
    parser.add_argument("--seed", type=int, default=0, help="seed of the dataset")
    parser.add_argument("--shape", type=int, nargs=3, default=list(default.shape), help="voxels along z y x")
    parser.add_argument(
        "--spacing-mm", type=float, nargs=3, default=list(default.spacing_mm), help="along z y x"
    )
    parser.add_argument("--lesions", type=int, nargs=2, default=list(default.lesions), help="fewest and most")
    parser.add_argument("--lesion-radius-mm", type=float, nargs=2, default=list(default.lesion_radius_mm))
    parser.add_argument("--faint-share", type=float, default=default.faint_share, help="low-contrast lesions")
    parser.add_argument("--noise-hu", type=float, default=default.noise_hu, help="standard deviation")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        spec = SyntheticCT(
            shape=tuple(args.shape),
            spacing_mm=tuple(args.spacing_mm),
            lesions=tuple(args.lesions),
            lesion_radius_mm=tuple(args.lesion_radius_mm),
            faint_share=args.faint_share,
            noise_hu=args.noise_hu,
        )
        folder = write_dataset(
            args.output,
            args.dataset_id,
            args.name,
            args.cases,
            test_cases=args.test_cases,
            labels=args.labels,
            seed=args.seed,
            spec=spec,
        )
    except ValueError as error:
        parser.error(str(error))
    print(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
