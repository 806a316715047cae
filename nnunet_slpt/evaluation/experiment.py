"""All cells of an experiment as a grid: methods by strategies by budgets by seeds, and what is missing in it.

Must not import nnU-Net, trainers, planners or selection.
"""

__all__ = ["Experiment", "Way"]

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from nnunet_slpt.errors import EvaluationError, one_of
from nnunet_slpt.evaluation.cells import Cell
from nnunet_slpt.evaluation.means import Spread, budget_area, class_mean, score
from nnunet_slpt.evaluation.pairs import Comparison, compare

FULL = "full"  # how the names of full fine-tuning begin: what people would use instead
RANDOM = "random"  # and how they would choose


class Way(NamedTuple):
    """How to get from a budget to a model.

    Args:
        method: how it is tuned.
        strategy: how the labelled cases are chosen.
    """

    method: str
    strategy: str


@dataclass(frozen=True, eq=False)
class Experiment:
    """The grid.

    Args:
        cells: finished ones, at least one.
        reference: what everything is compared with; its method and strategy need not have met.
    """

    cells: Sequence[Cell]
    reference: Way

    @classmethod
    def of(
        cls, cells: Sequence[Cell], method: str | None = None, strategy: str | None = None
    ) -> "Experiment":
        """With the reference that is named, or else full fine-tuning on random cases, where there is such.

        Of several ways of full fine-tuning the one with the most cells, of equals the first by name.

        Raises:
            EvaluationError: no cell has the method or the strategy that is named.
        """
        methods, strategies = ({cell.method for cell in cells}, {cell.strategy for cell in cells})
        for kind, named, known in (("method", method, methods), ("strategy", strategy, strategies)):
            if named is not None and named not in known:
                raise EvaluationError(
                    f"The reference: {one_of(kind, named, sorted(known))}. Name one of these."
                )
        cells_of = Counter(cell.method for cell in cells if cell.method.startswith(FULL))
        full = sorted(cells_of, key=lambda name: (-cells_of[name], name))
        usual = RANDOM if RANDOM in strategies else min(strategies)
        return cls(cells, Way(method or [*full, min(methods)][0], strategy or usual))

    @cached_property
    def methods(self) -> list[str]:
        """The reference first."""
        return _with_first(self.reference.method, {cell.method for cell in self.cells})

    @cached_property
    def strategies(self) -> list[str]:
        """The reference first."""
        return _with_first(self.reference.strategy, {cell.strategy for cell in self.cells})

    @cached_property
    def ways(self) -> list[Way]:
        """Those that there are, in the order of methods and strategies."""
        there = {(cell.method, cell.strategy) for cell in self.cells}
        return [Way(m, s) for m in self.methods for s in self.strategies if (m, s) in there]

    @cached_property
    def budgets(self) -> list[int]:
        """The smallest first."""
        return sorted({cell.budget for cell in self.cells})

    @cached_property
    def seeds(self) -> list[int]:
        """The smallest first."""
        return sorted({cell.seed for cell in self.cells})

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """What was segmented."""
        return self.cells[0].classes

    def short(self, way: Way) -> str:
        """Its name where there is little room: without what is the same for all."""
        if len(self.strategies) == 1:
            return way.method
        return way.strategy if len(self.methods) == 1 else f"{way.method} + {way.strategy}"

    def select(self, way: Way, budget: int | None = None) -> list[Cell]:
        """The cells of a way, at one budget or at all."""
        return [
            cell
            for cell in self.cells
            if (cell.method, cell.strategy) == way and budget in (None, cell.budget)
        ]

    def spread(self, way: Way, budget: int, metric: str = "dice", name: str | None = None) -> Spread:
        """A metric over seeds, of one class or as mean over all."""
        cells = self.select(way, budget)
        return Spread.of(
            score(cell, metric) if name is None else class_mean(cell, name, metric) for cell in cells
        )

    @cached_property
    def area_budgets(self) -> list[int]:
        """Budgets that every way of two or more has: over these, areas can be compared."""
        of_ways = [{cell.budget for cell in self.select(way)} for way in self.ways]
        of_curves = [budgets for budgets in of_ways if len(budgets) > 1]
        return sorted(set.intersection(*of_curves)) if of_curves else []

    def area(self, way: Way) -> Spread:
        """The area under the budget curve over seeds, of those seeds that have all of ``area_budgets``."""
        curves: dict[int, dict[int, float]] = {}
        for cell in self.select(way):
            dice = score(cell)
            if cell.budget in self.area_budgets and dice is not None:
                curves.setdefault(cell.seed, {})[cell.budget] = dice
        whole = [curve for curve in curves.values() if len(curve) == len(self.area_budgets)]
        return Spread.of(budget_area(curve) for curve in whole if len(curve) > 1)

    @cached_property
    def method_comparisons(self) -> Mapping[Way, list[Comparison]]:
        """Every other method with the reference method, on cases of the same strategy."""
        return self._against({way: Way(self.reference.method, way.strategy) for way in self.ways})

    @cached_property
    def strategy_comparisons(self) -> Mapping[Way, list[Comparison]]:
        """Every other strategy with the reference strategy, tuned by the same method."""
        return self._against({way: Way(way.method, self.reference.strategy) for way in self.ways})

    def _against(self, opponents: Mapping[Way, Way]) -> dict[Way, list[Comparison]]:
        found = {
            way: compare(self.select(way), self.select(other))
            for way, other in opponents.items()
            if way != other
        }
        return {way: comparisons for way, comparisons in found.items() if comparisons}

    def missing(self) -> Iterator[tuple[Way, int, list[int]]]:
        """For each way there is, and each budget, the seeds that others have and it has not."""
        for way in self.ways:
            for budget in self.budgets:
                there = {cell.seed for cell in self.select(way, budget)}
                lacking = [seed for seed in self.seeds if seed not in there]
                if lacking:
                    yield way, budget, lacking

    @cached_property
    def never_run(self) -> list[Way]:
        """Methods and strategies that never met."""
        return [Way(m, s) for m in self.methods for s in self.strategies if (m, s) not in self.ways]


def _with_first(first: str, names: Collection[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != first, name))
