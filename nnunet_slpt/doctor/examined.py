"""A model and a dataset of which every case has been looked at: what the doctor's checks are given.

Each part is made when it is first asked for, every image is read once. Must not import the checks. Writes
nothing.
"""

__all__ = ["Check", "Examined", "Seen"]

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnunet_slpt.datasets.workers import Workers
from nnunet_slpt.doctor.looks import Look, look_at
from nnunet_slpt.planners.comparison import Comparison, Finding
from nnunet_slpt.planners.draft import Request, new_plans, settings_for
from nnunet_slpt.planners.target import Target
from nnunet_slpt.planners.transfer import patch_size_for


@dataclass(frozen=True)
class Seen(Target):
    """A dataset as the files are now; unlike ``Target`` it asks no fingerprint, which may be older.

    Args:
        models_reader: name of the reader that the model was trained with.
    """

    models_reader: str = field(default="SimpleITKIO", kw_only=True)

    @cached_property
    def looks(self) -> list[Look]:
        """One a case, by ascending name."""
        reader = self.reader(self.models_reader)
        look = partial(look_at, reader=reader, channels=len(self.channels), values=self.label_values)
        with Workers(self.processes) as workers:
            return workers.answers(look, self.cases, "Looking at images")

    @property
    def usable(self) -> list[Look]:
        """Those whose images can be used."""
        return [look for look in self.looks if not look.image_problem]

    @property
    def spacings_mm(self) -> NDArray[np.float64]:
        """(usable cases, 3)."""
        return np.array([look.spacing_mm for look in self.usable], dtype=np.float64)

    @property
    def shapes(self) -> NDArray[np.int64]:
        """(usable cases, 3)."""
        return np.array([look.shape for look in self.usable], dtype=np.int64)


@dataclass(frozen=True)
class Examined(Comparison):
    """A model and a dataset, and what is asked of the two.

    Args:
        request: as for ``nnunet_slpt_plan``.
    """

    target: Seen
    request: Request = field(kw_only=True)

    @property
    def patch(self) -> list[int]:
        """In voxels.

        Raises:
            PlanningError: the one that was asked for does not fit the network.
        """
        return patch_size_for(self.settings, self.request.wishes.patch_size)

    @cached_property
    def new_settings(self) -> dict[str, Any]:
        """The configuration that ``nnunet_slpt_plan`` would write.

        Raises:
            PlanningError: it would refuse.
        """
        plans = new_plans(self.request, self, settings_for(self.request, self))
        settings: dict[str, Any] = plans["configurations"][self.model.configuration]
        return settings


Check = Callable[[Examined], Iterator[Finding]]
