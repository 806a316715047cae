"""Arguments that several commands take."""

import argparse

import pytest

from nnunet_slpt.command import whole_number


def test_a_whole_number_from_the_least_on():
    assert [whole_number(0)("0"), whole_number(1)("12")] == [0, 12]


@pytest.mark.parametrize(("text", "fewest"), [("-1", 0), ("0", 1), ("two", 1), ("1.5", 1)])
def test_what_is_none_is_refused_with_what_is_expected(text, fewest):
    with pytest.raises(
        argparse.ArgumentTypeError, match=f"got {text}, expected a whole number from {fewest} on"
    ):
        whole_number(fewest)(text)
