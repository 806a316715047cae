"""What is compared: cells, and the campaigns that they are parts of. Knows names and numbers alone.

Must not import numpy, torch or nnU-Net.
"""

__all__ = ["Campaign", "make_grid", "part_of"]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnunet_slpt.errors import SimulationError
from nnunet_slpt.evaluation.cells import CellKey


@dataclass(frozen=True)
class Campaign:
    """One group's way through all budgets: each choice is made with the network that was tuned before it.

    Args:
        method: a tuning method's name.
        strategy: a selection strategy's name.
        seed: of everything random.
        budgets: numbers of labelled cases, ascending.
    """

    method: str
    strategy: str
    seed: int
    budgets: tuple[int, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.method}__{self.strategy}__{self.seed}"

    @property
    def cells(self) -> tuple[CellKey, ...]:
        """One a budget."""
        return tuple(CellKey(self.method, self.strategy, budget, self.seed) for budget in self.budgets)


def make_grid(
    methods: Sequence[str], strategies: Sequence[str], budgets: Sequence[int], seeds: Sequence[int]
) -> list[Campaign]:
    """Every method with every strategy and seed; the seeds outermost, so that a part of it is a fair table.

    Args:
        methods: names.
        strategies: names.
        budgets: numbers of labelled cases, in any order.
        seeds: numbers.

    Raises:
        SimulationError: something is there twice.
    """
    for kind, values in {
        "methods": methods,
        "strategies": strategies,
        "budgets": budgets,
        "seeds": seeds,
    }.items():
        if len(set(values)) < len(values):
            raise SimulationError(
                f"--{kind} are {', '.join(map(str, values))}: one is there twice. Name it once."
            )
    ascending = tuple(sorted(budgets))
    return [
        Campaign(method, strategy, seed, ascending)
        for seed in seeds
        for strategy in strategies
        for method in methods
    ]


def part_of(campaigns: Sequence[Campaign], parts: int, part: int) -> Iterator[Campaign]:
    """Every ``parts``-th campaign, for calls on several machines.

    Args:
        campaigns: all of them.
        parts: how many calls share the work.
        part: which of them this is, from 0 on.

    Raises:
        SimulationError: there is no such part.
    """
    if parts < 1 or not 0 <= part < parts:
        raise SimulationError(f"-part_id is {part} of -num_parts {parts}, expected 0 to {max(parts - 1, 0)}.")
    yield from campaigns[part::parts]
