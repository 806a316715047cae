"""Which images can be used, and a hash of their content: looked at once, and again only if a file changes.

Owns what is remembered of a file: size and time of change, as version control does it. Must not import torch.
"""

__all__ = ["usable_images"]

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnunet_slpt.datasets.cases import Case
from nnunet_slpt.datasets.image_checks import check_images, find_reader, refuse_or_skip
from nnunet_slpt.datasets.image_files import image_files, image_key
from nnunet_slpt.errors import some
from nnunet_slpt.selection.cache import CaseCache, state_of
from nnunet_slpt.selection.request import Request


def usable_images(
    cases: Sequence[Case], dataset_json: Mapping[str, Any], folder: Path, request: Request
) -> tuple[dict[str, str], frozenset[str]]:
    """Check the images of cases.

    Args:
        cases: whose images are read, unless they are known or lack a file.
        dataset_json: of the raw dataset.
        folder: of the caches.
        request: how many processes read, and whether what cannot be used is skipped.

    Returns:
        Name → hash of the images' content, and the names left out.

    Raises:
        DatasetError: images that cannot be used, unless they are skipped.
        FileError: what is found out cannot be kept.
    """
    lacking = {case.name: f"missing image files: {some(case.lacks)}" for case in cases if case.lacks}
    cases = [case for case in cases if not case.lacks]
    cache = CaseCache(folder / "images")
    stats = {case.name: state_of(image_files(case)) for case in cases}
    known = {case.name: _remembered(cache, case, stats[case.name]) for case in cases}
    unknown = [case for case in cases if known[case.name] is None]
    problems = {}
    if unknown:
        reader = find_reader(cases, dataset_json)  # which of them are unknown must not decide
        problems = check_images(unknown, dataset_json, request.preprocessing, reader)
    for case in unknown:
        if case.name not in problems:
            content = {"content": np.array(image_key(case))}
            cache.write(case.name, stats[case.name], content)
            known[case.name] = content
    skipped = refuse_or_skip(lacking | problems, request.skip_unreadable)
    return {name: str(found["content"]) for name, found in known.items() if found is not None}, skipped


def _remembered(cache: CaseCache, case: Case, state: str) -> Any:
    """What was found out about a case's images; ``None`` if they changed, or cannot be read any more."""
    readable = all(os.access(file, os.R_OK) for file in case.images)
    return cache.read(case.name, state) if readable else None
