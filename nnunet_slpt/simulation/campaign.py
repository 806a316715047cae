"""One campaign from the first choice to the last test, as the commands that a user would type.

A round: choose, get the labels, preprocess, tune from the pretrained model, predict the test cases, measure.
Stopped at any point, it goes on after the last command that ended. Must not import torch.
"""

__all__ = ["Settings", "run_campaign"]

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nnunet_slpt.config import PLANS_KEY
from nnunet_slpt.errors import SimulationError, some
from nnunet_slpt.evaluation.cells import FORMAT, CellKey
from nnunet_slpt.evaluation.means import FEWEST_TO_RANK, mean
from nnunet_slpt.files import json_of, write_json
from nnunet_slpt.host_conventions import BEST, LATEST
from nnunet_slpt.lock import exclusive
from nnunet_slpt.networks.backbone import read_parameter_summary
from nnunet_slpt.simulation.grid import Campaign
from nnunet_slpt.simulation.request import chooses, needs_of
from nnunet_slpt.simulation.scoring import Scores, score_cases
from nnunet_slpt.simulation.stage import TUNING_FOLD, Stage
from nnunet_slpt.simulation.steps import Steps
from nnunet_slpt.tuning_methods import TUNING_METHODS

CONTINUE = "--c"  # of nnUNetv2_train
ASKED = 2  # cases of a query that is made for the sake of its scores


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all cells of a simulation have in common.

    Args:
        models: kind of network → the pretrained checkpoint, in its fold's folder.
        configuration: of nnU-Net.
        device: ``cuda``, ``cpu`` or ``mps``.
        processes: of each command, for reading, preprocessing and export.
        training: settings of every tuning: its length, for example.
        mirroring: predict with mirrored images too.
        calibrate: see how well a strategy's uncertainty predicts the error on the rest of the pool.
        tolerance_mm: of the surface distance.
        about: what is written into each cell and never read: versions, machine, command.
    """

    models: Mapping[str, Path]
    configuration: str
    device: str
    processes: int
    training: Mapping[str, Any]
    mirroring: bool
    calibrate: bool
    tolerance_mm: float
    about: Mapping[str, Any] = field(default_factory=dict)


def run_campaign(
    campaign: Campaign, stage: Stage, settings: Settings, steps: Steps, cells: Path
) -> Iterator[CellKey]:
    """Do what is not done yet of a campaign.

    Args:
        campaign: which.
        stage: its folders.
        settings: of the simulation.
        steps: in the stage's logs.
        cells: folder of the results.

    Yields:
        Each cell when its file is there, those of earlier calls too.

    Raises:
        SLPTError: a command failed, another process works on this campaign, or its earlier choices cannot be
            made again.
    """
    files = [cells / f"{cell.name}.json" for cell in campaign.cells]
    if all(file.exists() for file in files):
        yield from campaign.cells
        return
    with exclusive(stage.folder):
        stage.set_up({**settings.training, "seed": campaign.seed, **TUNING_METHODS[campaign.method].settings})
        for number, file in enumerate(files):
            one = _Round(campaign, number, stage, settings, steps)
            if not file.exists():
                write_json(file, one.result())
                stage.forget(number)
            elif not all(later.exists() for later in files[number:]):
                one.again(_labelled(file))
            yield campaign.cells[number]


def _labelled(file: Path) -> list[str]:
    """The cases that a finished cell was tuned on."""
    content = json_of(file)
    if not isinstance(content, dict) or "labelled" not in content:
        raise SimulationError(f"{file} is no finished cell. Restore it, or move it away to make it anew.")
    return list(content["labelled"])


@dataclass(frozen=True)
class _Round:
    """One budget of a campaign, step by step."""

    campaign: Campaign
    number: int
    stage: Stage
    settings: Settings
    steps: Steps

    def result(self) -> dict[str, Any]:
        """All steps, and what the cell's file holds."""
        costs = {"select_seconds": self.choose()}
        labelled = self.labelled()
        self.stage.hand_over(labelled)
        costs |= self.tune(labelled)
        scores, costs["predict_seconds"] = self.predict(
            "test", self.stage.raw / "imagesTs", self.stage.source.test
        )
        return {
            "format": FORMAT,
            "cell": asdict(self.campaign.cells[self.number]),
            "tuning": self.tuning(),
            "dataset": self.stage.dataset,
            "labelled": labelled,
            "test": scores,
            "pool": self.calibration(labelled) if self.settings.calibrate else None,
            "costs": costs,
            **self.settings.about,
        }

    def again(self, labelled: Sequence[str]) -> None:
        """What the next round needs of one that is finished, if the campaign's folder was lost.

        Args:
            labelled: as the cell's file has it.
        """
        self.choose()
        if self.labelled() != labelled:
            raise SimulationError(
                f"Round {self.number} of {self.campaign.name} chose other cases than its cell tells, "
                f"{some(self.labelled())} and not {some(labelled)}. Remove the cells and the folder of this "
                "campaign to start it anew."
            )
        self.stage.hand_over(labelled)
        if {"features", "predictions"} & needs_of(self.campaign.strategy, self.number + 1):
            self.tune(labelled)

    def labelled(self) -> list[str]:
        """Names of the cases that are paid for, in the order chosen."""
        return [name for names in self.stage.chosen()[: self.number + 1] for name in names]

    def choose(self) -> float | None:
        """Take the round's cases from the pool; the seconds it took, if that is known."""
        if len(self.stage.chosen()) > self.number and not self.steps.done(self.name("choose")):
            return None  # stopped between the end of the command and ours
        before = self.campaign.budgets[self.number - 1] if self.number else 0
        budget = self.campaign.budgets[self.number] - before
        if self.number:
            asked = self.steps.costs(replace(self, number=self.number - 1).name("ask"))
            found = self.select("choose", self.number, budget, self.model(self.number - 1))
            seconds = [asked.get("seconds", 0), found["seconds"]]  # what was seen then is not seen again
        else:
            pretrained = self.settings.models[TUNING_METHODS[self.campaign.method].network]
            fold, checkpoint = pretrained.parent, pretrained.name
            which = ("-f", fold.name.removeprefix("fold_"), "-chk", checkpoint)
            seconds = [self.select("choose", 0, budget, fold.parent, *which)["seconds"]]
        return None if None in seconds else round(sum(seconds), 2)

    def select(self, step: str, number: int, budget: int, model: Path, *more: str) -> dict[str, Any]:
        """``nnunet_slpt_select``, for the round of this number."""
        words: list[str | Path] = [
            "nnunet_slpt_select",
            "-d",
            self.stage.dataset,
            "-n",
            str(budget),
            "-m",
            model,
        ]
        strategy = self.campaign.strategy
        words += ["-strategy", chooses(strategy, number), "--seed", str(self.campaign.seed)]
        words += ["-device", self.settings.device, "-npp", str(self.settings.processes), *more]
        words += self.without_mirroring()
        sees_labels = "labels" in needs_of(strategy, 0) | needs_of(strategy, 1)  # in all rounds, or in none
        if sees_labels:
            words += ["--hide_labels", *self.stage.all_but_pool()]
        return self.steps.run(self.name(step), words, self.stage.choosing_environment(sees_labels))

    def tune(self, labelled: Sequence[str]) -> dict[str, Any]:
        """Preprocess what is new, and tune from the pretrained model."""
        self.stage.split(labelled)
        plans, environment = self.stage.plans, self.stage.environment(self.number)
        preprocess = ["nnunet_slpt_preprocess", "-d", self.stage.dataset, "-p", plans]
        preprocess += ["-np", str(max(self.settings.processes, 1))]
        self.steps.run(self.name("preprocess"), preprocess, environment)
        words: list[str] = ["nnUNetv2_train", self.stage.dataset, self.settings.configuration, TUNING_FOLD]
        words += [
            "-tr",
            self.trainer,
            "-p",
            plans,
            "-device",
            self.settings.device,
        ]
        fold = self.model(self.number) / f"fold_{TUNING_FOLD}"
        resumed = (fold / LATEST).exists() or (fold / BEST).exists()
        found = self.steps.run(self.name("tune"), [*words, *([CONTINUE] if resumed else [])], environment)
        counted = read_parameter_summary(self.steps.text(self.name("tune")))
        return {
            "train_seconds": found["seconds"],
            "peak_memory_bytes": found["peak_memory_bytes"],
            "parameters": counted and sum(counted),
            "tuned_parameters": counted and counted[1],
        }

    def tuning(self) -> dict[str, Any]:
        """The trainer and all that it was told, since what a method's name stands for may change."""
        used = json.loads((self.model(self.number) / "plans.json").read_text())[PLANS_KEY]
        told = {key: value for key, value in used.items() if key != "pretrained_checkpoint"}  # a path
        return {"trainer": self.trainer, **told}

    def predict(self, part: str, images: Path, names: Sequence[str]) -> tuple[Scores, float | None]:
        """Predict the cases of a folder, and measure; the scores and the seconds."""
        folder = self.stage.folder / "predictions" / self.name(part)
        words: list[str | Path] = ["nnUNetv2_predict", "-d", self.stage.dataset, "-i", images, "-o", folder]
        words += ["-c", self.settings.configuration, "-f", TUNING_FOLD, "-p", self.stage.plans]
        words += ["-tr", self.trainer, "-device", self.settings.device]
        words += ["-npp", str(self.settings.processes), "-nps", str(self.settings.processes)]
        words += self.without_mirroring()
        step = self.name(f"predict_{part}")
        seconds = self.steps.run(step, words, self.stage.environment(self.number))["seconds"]
        tolerance, processes = self.settings.tolerance_mm, self.settings.processes
        return score_cases(self.stage.source, names, folder, tolerance, processes), seconds

    def calibration(self, labelled: Sequence[str]) -> dict[str, dict[str, float | None]] | None:
        """The uncertainty of each case that is left in the pool, and how well it is predicted."""
        rest = sorted({*self.stage.source.pool} - {*labelled})
        asks_network = "predictions" in needs_of(self.campaign.strategy, self.number + 1)
        if not asks_network or len(rest) < FEWEST_TO_RANK:
            return None
        self.select("ask", self.number + 1, ASKED, self.model(self.number), "--dry_run", "--json")
        text = self.steps.text(self.name("ask"))
        asked = json.loads(text[text.rindex("\n{\n") :])
        scores, _ = self.predict("rest", self.stage.links(rest), rest)
        dice = {name: mean(one["dice"] for one in of_classes.values()) for name, of_classes in scores.items()}
        return {
            case["name"]: {"uncertainty": case["value"], "dice": dice[case["name"]]}
            for case in asked["cases"]
        }

    @property
    def trainer(self) -> str:
        """The name of the trainer that tunes."""
        return TUNING_METHODS[self.campaign.method].trainer

    def name(self, step: str) -> str:
        """A step's name, among those of all rounds."""
        return f"{self.number:02d}_{step}"

    def model(self, number: int) -> Path:
        """The folder of the model that a round tuned."""
        folder = f"{self.trainer}__{self.stage.plans}__{self.settings.configuration}"
        return self.stage.results(number) / self.stage.dataset / folder

    def without_mirroring(self) -> list[str]:
        """The flag, if it is wanted."""
        return [] if self.settings.mirroring else ["--disable_tta"]
