"""What turns an image and a label into preprocessed data: plans, one configuration of them, dataset.json.

Owns which of their entries decide the result. Reads nnU-Net's plans; must not write anything.
"""

__all__ = ["Recipe", "read_recipes"]

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from nnunet_slpt.datasets import channel_count
from nnunet_slpt.datasets.label_checks import LabelValues
from nnunet_slpt.errors import DatasetError, one_of
from nnunet_slpt.files import json_of
from nnunet_slpt.host_conventions import IMAGES_BY_CONFIGURATION, IMAGES_BY_PLANS

# What nnU-Net's DefaultPreprocessor looks at, and the reader and the resampling under it. The patch size is
# not among it: it decides how arrays are cut into blocks on disk, not what is in them, and nnU-Net itself
# lets configurations of several patch sizes read the same data.
OF_PLANS = (*IMAGES_BY_PLANS, "label_manager")
OF_CONFIGURATION = (*IMAGES_BY_CONFIGURATION, "resampling_fn_seg", "resampling_fn_seg_kwargs")


@dataclass(frozen=True, eq=False)
class Recipe:
    """How one folder of preprocessed data is made.

    Args:
        name: of the configuration.
        plans: nnU-Net's reader of the plans.
        configuration: nnU-Net's reader of the configuration.
        dataset_json: of the raw dataset.
        key: SHA-256 of all that decides the result, nnU-Net's version included.
    """

    name: str
    plans: Any
    configuration: Any
    dataset_json: dict[str, Any]
    key: str

    @property
    def folder_name(self) -> str:
        """The folder of the data in the preprocessed dataset."""
        return str(self.configuration.data_identifier)

    @property
    def label_values(self) -> list[int]:
        """The values that labels may have, in ascending order."""
        return [*LabelValues.of(self.dataset_json).known]


def read_recipes(
    home: Path, plans_name: str, wanted: Sequence[str] | None, dataset_json: dict[str, Any]
) -> list[Recipe]:
    """The recipes of a plans file, one for each folder of data.

    Args:
        home: the preprocessed dataset's folder.
        plans_name: the plans file without ``.json``.
        wanted: names of configurations; ``None`` takes all. Those that read the same data, as a cascade's
            second stage reads its parent's, are one recipe.
        dataset_json: of the raw dataset.

    Raises:
        DatasetError: there are no such plans or configuration, they do not fit the dataset, or two
            configurations want different data in one folder.
    """
    plans = _read_plans(home, plans_name)
    known = plans.available_configurations
    recipes: dict[str, Recipe] = {}
    for name in wanted or known:
        if name not in known:
            raise DatasetError(f"{one_of('configuration', name, known)}. These are in {plans_name}.json.")
        recipe = _recipe(plans, name, dataset_json)
        first = recipes.setdefault(recipe.folder_name, recipe)
        if first.key != recipe.key:
            raise DatasetError(
                f"The configurations {first.name} and {name} of {plans_name} want different data in one "
                f"folder, {recipe.folder_name}. Pass one of them with -c, or give each a data_identifier of "
                "its own in the plans."
            )
    return list(recipes.values())


def _read_plans(home: Path, plans_name: str) -> Any:
    file = home / f"{plans_name}.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        there = ", ".join(_known_plans(home)) or "none"
        raise DatasetError(
            f"There are no plans {file}; plans there: {there}. Pass one of them with -p, or make "
            "them from the pretrained model with nnunet_slpt_plan."
        ) from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read, expected JSON: {error}. Make the plans anew.") from error
    if not isinstance(content, dict) or not isinstance(content.get("configurations"), dict):
        raise DatasetError(f"{file} has no 'configurations', expected nnU-Net's plans. Make the plans anew.")
    return PlansManager(content)


def _known_plans(home: Path) -> list[str]:
    """Names of the plans in a folder; reports and backups have another name than they say, or say none."""
    known = []
    for file in sorted(home.glob("*.json")):
        content = json_of(file)
        if isinstance(content, dict) and content.get("plans_name") == file.stem:
            known.append(file.stem)
    return known


def _recipe(plans: Any, name: str, dataset_json: dict[str, Any]) -> Recipe:
    LabelValues.of(dataset_json)  # refuses labels that cannot be used
    try:
        configuration = plans.get_configuration(name)
        recipe = Recipe(name, plans, configuration, dataset_json, _key(plans, configuration, dataset_json))
        schemes = list(configuration.normalization_schemes)
        found = configuration.preprocessor_class is not None and plans.image_reader_writer_class is not None
        recipe.folder_name  # noqa: B018  raises if it is missing
    except Exception as error:  # what nnU-Net raises for plans with an entry missing can be anything
        raise DatasetError(
            f"nnU-Net cannot use the configuration {name} with this dataset.json: {error!r}. Correct the "
            "plans or the labels of dataset.json, or pass other configurations with -c."
        ) from error
    channels = channel_count(dataset_json)
    if len(schemes) != channels:
        raise DatasetError(
            f"The configuration {name} normalises {len(schemes)} channel(s), and dataset.json names "
            f"{channels}. Expected plans for a network with as many; pass others with -p."
        )
    if not found:
        raise DatasetError(
            f"nnU-Net {version('nnunetv2')} has no preprocessor {configuration.preprocessor_name!r} or no "
            f"reader {plans.plans.get('image_reader_writer')!r}, which the plans name. Install what brings "
            "them."
        )
    return recipe


def _key(plans: Any, configuration: Any, dataset_json: Mapping[str, Any]) -> str:
    decisive = {
        "nnunetv2": version("nnunetv2"),
        "plans": {key: plans.plans.get(key) for key in OF_PLANS},
        "intensities": plans.foreground_intensity_properties_per_channel,
        "configuration": {key: configuration.configuration.get(key) for key in OF_CONFIGURATION},
        # Pairs, because the order of regions counts.
        "labels": list(dataset_json["labels"].items()),
        "regions_class_order": dataset_json.get("regions_class_order"),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
