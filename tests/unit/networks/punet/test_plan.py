"""Measures that nnU-Net plans are taken, others refused in words."""

from __future__ import annotations

import pytest
from small_punets import settings

from nnunet_slpt.errors import ArchitectureError
from nnunet_slpt.networks.punet.plan import BodyPlan


def test_grids_follow_the_strides():
    assert BodyPlan(**settings(3)).grids == [(4, 20, 12), (4, 10, 6), (2, 5, 3)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patch_size": (4, 20, 13)}, "4 x 20 x 13 voxels: expected multiples of 2 x 4 x 4"),
        ({"patch_size": (4,)}, "1 axes"),
        ({"strides": [[1, 1, 1], [2, 2, 2]]}, "3 features_per_stage, 3 kernel_sizes and 2 strides"),
        ({"kernel_sizes": [[3, 3]] * 3}, "3 entries a stage"),
        ({"strides": [[2, 1, 1]] * 3}, "first stage has stride"),
        (
            {"features_per_stage": [4], "kernel_sizes": [[3, 3, 3]], "strides": [[1, 1, 1]]},
            "at least 2",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, words):
    with pytest.raises(ArchitectureError, match=words):
        BodyPlan(**settings(3) | changes)
