"""``--unlabelled``: cases without a label come, get a label, lose it, and go."""

import json
import pickle

import blosc2
import pytest

from nnunet_slpt.datasets import NOT_ANNOTATED, UNLABELLED
from nnunet_slpt.errors import DatasetError
from nnunet_slpt.preprocessing import agenda

LABELLED, OTHERS = ("case_1", "case_10", "case_2"), ("case_3",)


def properties(desk, case):
    return pickle.loads((desk.data / f"{case}.pkl").read_bytes())


def segmentation(desk, case):
    return blosc2.open(str(desk.data / f"{case}_seg.b2nd"))[:]


def labels_kept(desk):
    return {file.name for file in (desk.home / "gt_segmentations").iterdir()}


def without_any_label(desk):
    for case in LABELLED:
        (desk.raw / f"labelsTr/{case}.nii.gz").unlink()


def test_all_cases_are_made_and_stay(desk):
    assert desk.made(unlabelled=True) == dict.fromkeys((*LABELLED, *OTHERS), agenda.NEW)
    assert UNLABELLED not in properties(desk, "case_1")
    assert properties(desk, "case_3")[UNLABELLED] is True
    assert (segmentation(desk, "case_3") == NOT_ANNOTATED).all()
    assert labels_kept(desk) == {f"{case}.nii.gz" for case in LABELLED}
    before = desk.state()
    assert desk.made(unlabelled=True) == {}
    assert desk.state() == before


def test_a_dataset_without_any_label(desk):
    without_any_label(desk)
    (desk.home / "dataset_fingerprint.json").unlink()
    assert len(desk.made(unlabelled=True)) == 4
    assert labels_kept(desk) == set()
    fingerprint = json.loads((desk.home / "dataset_fingerprint.json").read_text())
    assert fingerprint["shapes_after_crop"] == [[9, 10, 11]] * 4
    assert fingerprint["foreground_intensity_properties_per_channel"] == {}


def test_the_image_is_the_same_with_and_without_a_label(desk):
    without_any_label(desk)
    desk.run(unlabelled=True)
    image = blosc2.open(str(desk.data / "case_1.b2nd"))[:].tobytes()
    desk.label("case_1")
    desk.run(unlabelled=True)
    assert blosc2.open(str(desk.data / "case_1.b2nd"))[:].tobytes() == image


@pytest.mark.parametrize("unlabelled", [False, True])
def test_a_first_label(desk, unlabelled):
    desk.run(unlabelled=True)
    desk.label("case_3")
    assert desk.made(unlabelled=unlabelled) == {"case_3": agenda.FIRST_LABEL}
    assert UNLABELLED not in properties(desk, "case_3")
    assert (segmentation(desk, "case_3") == 1).any()
    assert "case_3.nii.gz" in labels_kept(desk)


def test_a_lost_label_is_kept_aside_and_the_case_made_without(desk):
    desk.run(unlabelled=True)
    drawn = (desk.data / "case_1_seg.b2nd").read_bytes()
    (desk.raw / "labelsTr/case_1.nii.gz").unlink()
    done = desk.run(unlabelled=True)["3d_fullres"]
    assert (done.to_make, done.to_set_aside) == ({"case_1": agenda.LOST_LABEL}, {"case_1": agenda.GONE})
    assert (desk.own / "removed/nnUNetPlans_3d_fullres/case_1_seg.b2nd").read_bytes() == drawn
    assert (desk.own / "removed/gt_segmentations/case_1.nii.gz").is_file()
    assert properties(desk, "case_1")[UNLABELLED] is True
    assert desk.made(unlabelled=True) == {}


def test_without_the_flag_they_are_taken_out(desk):
    desk.run(unlabelled=True)
    done = desk.run()["3d_fullres"]
    assert (done.to_make, done.to_set_aside) == ({}, {"case_3": agenda.NOT_ASKED_FOR})
    assert "  1 to take out, made without a label and not asked for (--unlabelled): case_3" in desk.said
    assert not (desk.data / "case_3.b2nd").exists()


def test_another_image(desk):
    desk.run(unlabelled=True)
    desk.image("case_3", seed=99)
    assert desk.made(unlabelled=True) == {"case_3": agenda.OTHER_IMAGES}
    assert not (desk.own / "removed").exists()


def test_made_by_another_command_it_may_have_had_a_label(desk):
    desk.run(unlabelled=True)
    (desk.own / "records/nnUNetPlans_3d_fullres/case_3.json").unlink()
    done = desk.run(unlabelled=True)["3d_fullres"]
    assert (done.to_make, done.to_set_aside) == ({"case_3": agenda.UNKNOWN}, {"case_3": agenda.UNKNOWN})


def test_dry_run_and_split_notes(desk):
    (desk.home / "splits_final.json").write_text(json.dumps([{"train": ["case_1", "case_3"], "val": []}]))
    before = desk.state()
    assert len(desk.made(unlabelled=True, dry_run=True)) == 4
    assert desk.state() == before
    desk.run(unlabelled=True)
    assert [line.partition(": ")[2] for line in desk.said[-2:]] == [
        "2 case(s) are preprocessed and not in it, so only fold all trains on them: case_10, case_2.",
        "1 case(s) are in it without a label, so its folds can only pretrain: case_3.",
    ]


def test_hidden_labels_are_not_for_fold_all(desk):
    (desk.home / "splits_final.json").write_text(json.dumps([{"train": ["case_1"], "val": []}]))
    (desk.home / "slpt_selection").mkdir()
    (desk.home / "slpt_selection/round_00.json").write_text('{"mode": "hide_labels"}')
    desk.run(unlabelled=True)
    assert "no round has chosen them (--hide_labels), so train no fold all: case_10" in desk.said[-1]


def test_the_entry_lists_labelled_cases_alone(desk):
    desk.run(unlabelled=True, entry=True)
    content = json.loads((desk.raw / "dataset.json").read_text())
    assert (content["dataset"].keys(), content["numTraining"]) == ({*LABELLED}, 3)
    # Those in imagesTr are still seen.
    assert desk.made(unlabelled=True) == {}


def test_refused_with_nothing_changed(desk):
    file = desk.raw / "imagesTr/case_3_0000.nii.gz"
    file.write_bytes(file.read_bytes()[:2000])
    without_any_label(desk)
    before = desk.state()
    with pytest.raises(DatasetError, match=r"case_3_0000.nii.gz: damaged.*\n.*images out of imagesTr"):
        desk.run(unlabelled=True)
    with pytest.raises(DatasetError, match="pass --unlabelled, and no --write_dataset_entry"):
        desk.run(unlabelled=True, entry=True)
    assert desk.state() == before
