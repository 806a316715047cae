"""What the user asks of a simulation: one frozen object, from the command line or from Python.

Must not import torch or nnU-Net.
"""

__all__ = ["Request", "chooses", "has_prompts", "needs_of"]

import math
from dataclasses import dataclass
from pathlib import Path

from nnunet_slpt.config import PromptConfig
from nnunet_slpt.errors import SimulationError, one_of
from nnunet_slpt.evaluation import TOLERANCE_MM
from nnunet_slpt.selection.strategies import STRATEGIES, TESLA, resolve
from nnunet_slpt.tuning_methods import PUNET, SLPT, TUNING_METHODS


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of ``nnunet_slpt_simulate``.

    Args:
        dataset: name or number of a labelled dataset.
        models: folders of the pretrained models, at most one of each kind of network.
        output: folder for all that is made.
        methods: tuning methods.
        strategies: selection strategies, by one name, or by two in tandem.
        budgets: numbers of labelled cases, or percentages of the pool.
        seeds: of everything random.
        test: file with names, or a number or percentage of cases.
        pool: file with names; ``None`` takes all but the test cases.
        configuration: of the model; ``None`` takes what there is.
        epochs: of each tuning.
        iterations: in an epoch.
        batch_size: ``None`` follows nnU-Net's rule.
        device: ``cuda``, ``cpu`` or ``mps``.
        gpus: numbers of the GPUs to spread the jobs over; empty takes what torch takes.
        processes: for reading, preprocessing and export, of each command; 0 does all in one process.
        jobs: how many campaigns run at the same time.
        parts: how many calls share the campaigns.
        part: which of them this is, from 0 on.
        mirroring: predict with mirrored images too.
        calibrate: see how well a strategy's uncertainty predicts the error on the rest of the pool.
        tolerance_mm: of the surface distance.
        command: as the user typed it, for the record.

    Raises:
        SLPTError: a name is unknown, a number out of range, or a strategy and a method do not go together.
    """

    dataset: str
    models: tuple[Path, ...]
    output: Path
    methods: tuple[str, ...] = ("slpt", "full_adamw")
    strategies: tuple[str, ...] = ("random",)
    budgets: tuple[str, ...] = ("5%", "10%", "20%")
    seeds: tuple[int, ...] = (0, 1, 2)
    test: str = "20%"
    pool: Path | None = None
    configuration: str | None = None
    epochs: int = 40
    iterations: int = 250
    batch_size: int | None = None
    device: str = "cuda"
    gpus: tuple[str, ...] = ()
    processes: int = 3
    jobs: int = 1
    parts: int = 1
    part: int = 0
    mirroring: bool = True
    calibrate: bool = False
    tolerance_mm: float = TOLERANCE_MM
    command: str = ""

    def __post_init__(self) -> None:
        for method in self.methods:
            if method not in TUNING_METHODS:
                raise SimulationError(f"{one_of('method', method, TUNING_METHODS)}.")
        for strategy in self.strategies:
            resolve(strategy, any_labelled=True)
        for flag, number, fewest in (("--jobs", self.jobs, 1), ("-npp", self.processes, 0)):
            if number < fewest:
                raise SimulationError(f"{flag} is {number}, expected {fewest} or more.")
        if not 0 <= self.tolerance_mm < math.inf:
            raise SimulationError(f"--tolerance_mm is {self.tolerance_mm}, expected 0 or more.")
        PromptConfig(epochs=self.epochs, iterations_per_epoch=self.iterations)
        if len(self.budgets) > 1 or self.calibrate:  # else no tuned model is asked
            self._check_prompts()

    def _check_prompts(self) -> None:
        """Refuse strategies that ask K prompts with methods that have none."""
        plain = [name for name in self.methods if not has_prompts(name)]
        asking = [name for name in self.strategies if "predictions" in needs_of(name, 1)]
        if plain and asking:
            raise SimulationError(
                f"Strategies that ask K prompts ({', '.join(asking)}) cannot go with methods that have none "
                f"({', '.join(plain)}). Simulate these with other strategies, in a call of its own."
            )


def has_prompts(method: str) -> bool:
    """Whether a method's predictions can disagree: by prompts, or by the tokens that each goes without.

    Args:
        method: its name.
    """
    trainer, settings = TUNING_METHODS[method]
    if TUNING_METHODS[method].network == PUNET:
        return True
    return trainer == SLPT and settings.get("prompts", PromptConfig().prompts) > 1


def chooses(strategy: str, number: int) -> str:
    """The strategy behind a name in a round.

    One that asks prompts before any are tuned leaves the first choice to kmeans, as TESLA does.

    Args:
        strategy: its name, two in tandem, or ``tesla``.
        number: of the round, from 0 on.
    """
    name = resolve(strategy, any_labelled=number > 0)
    too_early = number == 0 and "predictions" in STRATEGIES[name].needs
    return resolve(TESLA, any_labelled=False) if too_early else name


def needs_of(strategy: str, number: int) -> frozenset[str]:
    """What a strategy looks at in a round; arguments as of ``chooses``."""
    return STRATEGIES[chooses(strategy, number)].needs
