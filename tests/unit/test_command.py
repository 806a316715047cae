"""Arguments that several commands take, and what they print."""

import argparse
import subprocess
import sys

import pytest

from nnunet_slpt.command import answer, stdout_for_json, whole_number


def test_a_whole_number_from_the_least_on():
    assert [whole_number(0)("0"), whole_number(1)("12")] == [0, 12]


@pytest.mark.parametrize(("text", "fewest"), [("-1", 0), ("0", 1), ("two", 1), ("1.5", 1)])
def test_what_is_none_is_refused_with_what_is_expected(text, fewest):
    with pytest.raises(
        argparse.ArgumentTypeError, match=f"got {text}, expected a whole number from {fewest} on"
    ):
        whole_number(fewest)(text)


def test_an_interruption_is_told_in_a_line(capsys):
    def run(arguments):
        raise KeyboardInterrupt

    assert answer(argparse.ArgumentParser("tool"), [], run) == 130
    assert capsys.readouterr().err.startswith("tool: Interrupted. ")


def test_what_a_process_prints_does_not_get_into_the_json(capfd):
    """As nnU-Net's readers do in processes that check images."""
    with stdout_for_json(True):
        subprocess.run([sys.executable, "-c", "print('warning')"], check=True)
        print("told")
    print("{}")
    with stdout_for_json(False):
        print("text")
    out, err = capfd.readouterr()
    assert out == "{}\ntext\n"
    assert "warning" in err
    assert "told" in err
