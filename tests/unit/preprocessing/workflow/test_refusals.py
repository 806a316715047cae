"""What cannot be preprocessed is refused with a reason, before anything is changed."""

import json
import subprocess
import sys

import numpy as np
import pytest

from nnunet_slpt.errors import FileError, SLPTError
from nnunet_slpt.preprocessing import agenda

LABELLED = ("case_1", "case_10", "case_2")

HOLDER = """
import sys
from pathlib import Path
from nnunet_slpt.lock import exclusive

with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_refused_while_another_command_works(desk):
    started = [sys.executable, "-c", HOLDER, str(desk.own)]
    with subprocess.Popen(started, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(FileError, match="Another nnunet_slpt command"):
            desk.run()
        holder.stdin.close()
    assert desk.made() == dict.fromkeys(LABELLED, agenda.NEW)


def _float_label(desk):
    desk.label("case_3", value=0.5, kind=np.float32)


def _unknown_value(desk):
    desk.label("case_3", value=7)


def _wrong_size(desk):
    desk.label("case_3", shape=(9, 10, 12))


def _wrong_spacing(desk):
    desk.label("case_3", spacing=(1.0, 1.0, 2.0))


def _truncated_label(desk):
    file = desk.label("case_3")
    file.write_bytes(file.read_bytes()[:-20])


def _truncated_image(desk):
    desk.label("case_3")
    file = desk.raw / "imagesTr/case_3_0000.nii.gz"
    file.write_bytes(file.read_bytes()[:2000])


def _no_label_at_all(desk):
    for case in LABELLED:
        (desk.raw / f"labelsTr/{case}.nii.gz").unlink()


def _second_channel(desk):
    desk.change(desk.raw / "dataset.json", channel_names={"0": "T1", "1": "T2"})


REFUSED = [
    (_float_label, {}, r"case_3: .*Unexpected labels"),
    (_unknown_value, {}, r"case_3: .*Expected: \[0, 1\] Found: \[0. 7.\]"),
    (_wrong_size, {}, r"case_3: .*Shape mismatch"),
    (_wrong_spacing, {}, r"case_3: .*Spacing mismatch"),
    (_truncated_label, {}, r"case_3: case_3.nii.gz: damaged or cut short"),
    (_truncated_image, {}, r"case_3: case_3_0000.nii.gz: damaged or cut short"),
    (_no_label_at_all, {}, "None of the 4 cases"),
    (_second_channel, {}, r"normalises 1 channel\(s\), and dataset.json names 2"),
    (lambda desk: desk.change(desk.raw / "dataset.json", labels={"background": 0, "a": 2}), {}, r"\[0, 2\]"),
    (lambda desk: None, {"plans": "nnUNetPlansSLTP"}, "plans there: nnUNetPlans"),
    (lambda desk: desk.plans.write_text("{"), {}, "expected JSON"),
    (lambda desk: desk.plans.write_text("{}"), {}, "no 'configurations'"),
    (lambda desk: None, {"configurations": ["3d_ful"]}, "known: 3d_fullres"),
    (lambda desk: desk.change_configuration("2d", spacing=[1, 1]), {}, "the configuration 2d"),
    (lambda desk: desk.change_configuration(preprocessor_name="Mine"), {}, "no preprocessor 'Mine'"),
    (
        lambda desk: desk.change_configuration("2d", inherits_from="3d_fullres", spacing=[1.0, 1.0]),
        {},
        "want different data in one folder",
    ),
    (lambda desk: None, {"processes": 0}, "-np is 0"),
]


@pytest.mark.parametrize(("prepare", "options", "words"), REFUSED)
def test_refused_with_nothing_changed(desk, prepare, options, words):
    prepare(desk)
    before = desk.state()
    with pytest.raises(SLPTError, match=words):
        desk.run(**options)
    assert desk.state() == before


def test_reports_and_backups_are_no_plans(desk):
    home = desk.plans.parent
    for name, content in (
        ("nnUNetPlans_report", {"plans": str(desk.plans)}),
        ("before_nnUNetPlans", json.loads(desk.plans.read_text())),
        ("splits_final", []),
    ):
        (home / f"{name}.json").write_text(json.dumps(content))
    (home / "brokenPlans.json").write_text("{")
    with pytest.raises(SLPTError, match=r"plans there: nnUNetPlans\. "):
        desk.run(plans="NOPE")
