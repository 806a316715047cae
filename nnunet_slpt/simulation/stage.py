"""The folders of one campaign: all that its commands can see.

Owns what lies where, and the labels: a case's label comes here, as a copy, when it was paid for. No command
is told of a folder that holds others, but for the choice of a strategy that counts on labels. Must not import
torch.
"""

__all__ = ["Stage", "link_images"]

import filecmp
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

from nnunet_slpt.config import PLANS_KEY
from nnunet_slpt.datasets.image_files import spacing_files
from nnunet_slpt.files import read_bytes, write_bytes, write_json
from nnunet_slpt.hidden_labels import ROUNDS_FOLDER
from nnunet_slpt.host_conventions import SPLIT_FILE
from nnunet_slpt.simulation.source import Source

TUNING_FOLD = "0"


def link_images(source: Source, raw: Path) -> None:
    """A raw dataset with the images of the pool and of the test cases, and without a label.

    Args:
        source: where they come from.
        raw: folder of the new dataset.
    """
    ending = source.dataset_json["file_ending"]
    for part, names in (("imagesTr", source.pool), ("imagesTs", source.test)):
        (raw / part).mkdir(parents=True, exist_ok=True)
        for name in names:
            images = source.cases[name].images
            links = {f"{name}_{channel:04d}{ending}": image for channel, image in enumerate(images)}
            links |= {f"{name}.json": file for file in spacing_files(images[0], numbered=True)}
            for link, file in links.items():
                _link(raw / part / link, file)
    about = {key: value for key, value in source.dataset_json.items() if key != "dataset"}
    write_json(raw / "dataset.json", about | {"numTraining": 0})


def _link(place: Path, target: Path) -> None:
    """Make a link, anew where there is one to another place, as after the data was moved."""
    target = target.resolve()
    if place.is_symlink():
        if place.readlink() == target:
            return
        place.unlink()
    place.symlink_to(target)


@dataclass(frozen=True)
class Stage:
    """The folders of one campaign.

    Args:
        folder: of the campaign.
        shared: with what all campaigns have in common: linked images, and plans.
        source: the labelled dataset; only the referee knows it.
        plans: name of the plans.
    """

    folder: Path
    shared: Path
    source: Source
    plans: str

    @property
    def dataset(self) -> str:
        """The dataset's name, the same everywhere."""
        return self.source.folder.name

    @property
    def raw(self) -> Path:
        """The raw dataset as the campaign knows it."""
        return self.folder / "raw" / self.dataset

    @property
    def preprocessed(self) -> Path:
        """Plans, preprocessed cases and the split to train with."""
        return self.folder / "preprocessed" / self.dataset

    @property
    def rounds(self) -> Path:
        """The records of what was chosen."""
        return self.folder / "desk" / self.dataset / ROUNDS_FOLDER

    @property
    def logs(self) -> Path:
        """What the commands printed and cost."""
        return self.folder / "logs"

    def results(self, number: int) -> Path:
        """Where the models of a round lie: each round has its own, tuned from the pretrained one."""
        return self.folder / "results" / f"round_{number:02d}"

    def environment(self, number: int) -> dict[str, str]:
        """For the commands of a round, but for choosing.

        Args:
            number: of the round.
        """
        return {
            "nnUNet_raw": str(self.raw.parent),
            "nnUNet_preprocessed": str(self.preprocessed.parent),
            "nnUNet_results": str(self.results(number)),
        }

    def choosing_environment(self, sees_labels: bool) -> dict[str, str]:
        """For choosing: it has a desk of its own, since its split file is not the one to train with.

        Args:
            sees_labels: the strategy is a research baseline that counts foreground in the pool's labels.
        """
        raw = self.source.folder.parent if sees_labels else self.raw.parent
        desk = self.folder / "desk"
        desk.mkdir(parents=True, exist_ok=True)
        return {"nnUNet_raw": str(raw), "nnUNet_preprocessed": str(desk), "nnUNet_results": str(desk)}

    def set_up(self, settings: Mapping[str, Any]) -> None:
        """Images, plans and no label. May be called again.

        Args:
            settings: of the tuning, over those of the plans.
        """
        (self.raw / "labelsTr").mkdir(parents=True, exist_ok=True)
        for part in ("imagesTr", "imagesTs"):
            _link(self.raw / part, self.shared / "raw" / self.dataset / part)
        shutil.copy(self.shared / "raw" / self.dataset / "dataset.json", self.raw)
        self.preprocessed.mkdir(parents=True, exist_ok=True)
        for file in (self.shared / "preprocessed" / self.dataset).glob("*.json"):
            shutil.copy(file, self.preprocessed)
        file = self.preprocessed / f"{self.plans}.json"
        plans = json.loads(file.read_text())
        write_json(file, plans | {PLANS_KEY: plans[PLANS_KEY] | dict(settings)})

    def hand_over(self, names: Iterable[str]) -> None:
        """Put the labels of cases into the campaign's dataset, as they are now.

        Args:
            names: of the cases that were paid for.
        """
        ending = self.source.dataset_json["file_ending"]
        for name in names:
            label = self.source.cases[name].label
            beside = {f"{name}.json": file for file in spacing_files(label, numbered=False)}
            for target, file in (beside | {f"{name}{ending}": label}).items():
                place = self.raw / "labelsTr" / target
                if not (place.exists() and filecmp.cmp(file, place, shallow=False)):
                    write_bytes(place, read_bytes(file))

    def split(self, labelled: Iterable[str]) -> None:
        """Let all labelled cases train. One of them validates as well, because nnU-Net wants one.

        Args:
            labelled: names.
        """
        train = sorted(labelled)
        write_json(self.preprocessed / SPLIT_FILE, [{"train": train, "val": train[:1]}])

    def links(self, names: Iterable[str]) -> Path:
        """A folder with the images of some cases of the pool, and no others.

        Args:
            names: of the cases.
        """
        folder = self.folder / "rest"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in names:
            for pattern in ("_[0-9][0-9][0-9][0-9].*", ".json"):  # a TIFF has its spacing beside it
                for file in (self.raw / "imagesTr").glob(f"{escape(name)}{pattern}"):
                    (folder / file.name).symlink_to(file.resolve())
        return folder

    def all_but_pool(self) -> list[str]:
        """The option that keeps a choice within the pool, where all cases are seen."""
        others = sorted({*self.source.cases} - {*self.source.pool})
        if not others:
            return []
        file = self.folder / "not_in_pool.json"
        write_json(file, others)
        return ["--exclude", str(file)]

    def forget(self, number: int) -> None:
        """Remove what is not needed any more after a round: predictions, and the models before.

        Args:
            number: of the round.
        """
        shutil.rmtree(self.folder / "predictions", ignore_errors=True)
        for earlier in range(number):
            shutil.rmtree(self.results(earlier), ignore_errors=True)

    def chosen(self) -> list[list[str]]:
        """Names of the cases that each round chose, in its order."""
        files = sorted(self.rounds.glob("round_[0-9][0-9].json"))
        contents = [json.loads(file.read_text()) for file in files]
        return [[case["name"] for case in one["cases"] if case["chosen"]] for one in contents]
