"""What is asked of a selection: without a budget it can only be the pre-labels."""

import pytest

from nnunet_slpt.errors import SelectionError
from nnunet_slpt.selection import Request


def test_without_a_budget_it_can_only_be_the_prelabels() -> None:
    assert Request(dataset="1", prelabel=True).budget is None
    with pytest.raises(SelectionError, match=r"-n is missing: .* such as -n 10"):
        Request(dataset="1")
