"""What is asked of a selection: without a budget it can only be the pre-labels."""

import pytest

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection import Request
from nnunet_slpt.selection.workflow import select


def test_without_a_budget_it_can_only_be_the_prelabels() -> None:
    alone = Request(dataset="1", prelabel=True)
    assert alone.budget is None
    with pytest.raises(SelectionError, match=r"no budget, expected .* To pre-label .*, call prelabel"):
        select(alone)
    with pytest.raises(SelectionError, match=r"-n is missing: .* such as -n 10"):
        Request(dataset="1")
