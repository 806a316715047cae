"""All of the command but the parser and the processes, on small images."""

import json
import os
import shutil

import blosc2
import pytest
import SimpleITK

from nnunet_slpt.errors import DatasetError
from nnunet_slpt.preprocessing import agenda, making

LABELLED = ("case_1", "case_10", "case_2")


def names(folder):
    return {file.name for file in folder.iterdir()}


def files_of(*cases):
    return {f"{case}{ending}" for case in cases for ending in (".b2nd", "_seg.b2nd", ".pkl")}


def test_first_all_labelled_cases_then_nothing(desk):
    assert desk.made() == dict.fromkeys(LABELLED, agenda.NEW)
    assert names(desk.data) == files_of(*LABELLED)
    assert names(desk.home / "gt_segmentations") == {f"{case}.nii.gz" for case in LABELLED}
    before = desk.state()
    assert desk.made() == {}
    assert desk.state() == before
    assert "3d_fullres (nnUNetPlans_3d_fullres): 3 case(s) up to date." in desk.said


def test_one_case_more_and_the_others_stay(desk):
    desk.run()
    before = desk.state()
    desk.label("case_3")
    assert desk.made() == {"case_3": agenda.NEW}
    assert before.items() <= desk.state().items()
    assert names(desk.data) == files_of(*LABELLED, "case_3")


def test_redrawn_label(desk):
    desk.run()
    desk.label("case_1", size=2)
    assert desk.made() == {"case_1": agenda.OTHER_LABEL}
    preprocessed = blosc2.open(str(desk.data / "case_1_seg.b2nd"))[:]
    assert (preprocessed == 1).sum() == 2 * 4 * 4
    copy, label = desk.home / "gt_segmentations/case_1.nii.gz", desk.raw / "labelsTr/case_1.nii.gz"
    assert copy.read_bytes() == label.read_bytes()


def test_other_image(desk):
    desk.run()
    desk.image("case_2", seed=99)
    assert desk.made() == {"case_2": agenda.OTHER_IMAGES}


def test_removed_label(desk):
    desk.run()
    label = desk.raw / "labelsTr/case_1.nii.gz"
    drawn = label.read_bytes()
    label.unlink()
    done = desk.run()["3d_fullres"]
    assert (done.to_set_aside, done.to_make) == ({"case_1": agenda.GONE}, {})
    assert any("1 to take out, no label any more: case_1" in line for line in desk.said)
    assert names(desk.data) == files_of("case_10", "case_2")
    removed = desk.own / "removed"
    assert names(removed / "nnUNetPlans_3d_fullres") == files_of("case_1")
    assert (removed / "gt_segmentations/case_1.nii.gz").read_bytes() == drawn
    assert (desk.raw / "imagesTr/case_1_0000.nii.gz").exists()
    assert desk.run()["3d_fullres"].to_set_aside == {}
    desk.label("case_1")
    assert desk.made() == {"case_1": agenda.NEW}


def test_a_case_that_is_no_more_in_the_raw_dataset_is_kept_aside(desk):
    desk.run()
    (desk.raw / "labelsTr/case_2.nii.gz").unlink()
    (desk.raw / "imagesTr/case_2_0000.nii.gz").unlink()
    before = (desk.data / "case_2.b2nd").read_bytes()
    desk.run()
    assert (desk.own / "removed/nnUNetPlans_3d_fullres/case_2.b2nd").read_bytes() == before


def test_changed_plans_make_all_anew_and_never_mix(desk, monkeypatch):
    desk.run()
    desk.change_configuration(spacing=[2.0, 1.0, 1.0])
    original = making.make
    monkeypatch.setattr("nnunet_slpt.preprocessing.workflow.make", lambda task: _fail_at(task, original))
    with pytest.raises(DatasetError, match="killed here"):
        desk.run()
    # The first is there with the new spacing; of the old ones there is nothing.
    assert names(desk.data) == files_of("case_1")
    monkeypatch.undo()
    assert blosc2.open(str(desk.data / "case_1.b2nd")).shape[1] == 4


def _fail_at(task, make):
    if task.case.name != "case_1":
        raise DatasetError("killed here")
    return make(task)


def test_settings_that_do_not_matter(desk):
    desk.run()
    desk.change_configuration(patch_size=[4, 4, 4], batch_size=7, architecture={"n_stages": 9})
    desk.change(desk.plans, slpt={"epochs": 3})
    desk.change(desk.raw / "dataset.json", numTraining=17, licence="CC0")
    assert desk.made() == {}


def test_what_another_command_made_is_not_trusted(desk):
    desk.run()
    shutil.rmtree(desk.own)
    assert desk.made() == dict.fromkeys(LABELLED, agenda.UNKNOWN)


@pytest.mark.parametrize("ending", [".b2nd", "_seg.b2nd", ".pkl"])
def test_lost_and_damaged_files_are_noticed(desk, ending):
    desk.run()
    (desk.data / f"case_1{ending}").unlink()
    changed = desk.data / f"case_2{ending}"
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    assert desk.made() == dict.fromkeys(("case_1", "case_2"), agenda.OTHER_FILES)
    assert desk.made() == {}


def test_a_copy_of_the_dataset_is_up_to_date(desk):
    desk.run()
    for file in desk.state():
        file.with_name("copy").write_bytes(file.read_bytes())
        file.with_name("copy").replace(file)
    assert desk.made() == {}
    recorded = json.loads((desk.own / "records/nnUNetPlans_3d_fullres/case_1.json").read_text())
    label = (desk.raw / "labelsTr/case_1.nii.gz").stat()
    assert recorded["inputs"]["label"]["changed_ns"] == label.st_ctime_ns


def test_dry_run_changes_nothing_and_tells_all(desk):
    desk.run()
    desk.label("case_1", size=1)
    desk.label("case_3")
    before = desk.state()
    assert desk.made(dry_run=True) == {"case_1": agenda.OTHER_LABEL, "case_3": agenda.NEW}
    assert desk.state() == before
    assert desk.said[-1] == "Nothing was changed (--dry_run)."


def test_two_configurations(desk):
    desk.change_configuration(
        "2d", inherits_from="3d_fullres", data_identifier="nnUNetPlans_2d", spacing=[1.0, 1.0]
    )
    desk.change_configuration("3d_cascade_fullres", inherits_from="3d_fullres", previous_stage="3d_lowres")
    done = desk.run()
    assert {name: len(agenda.to_make) for name, agenda in done.items()} == {"3d_fullres": 3, "2d": 3}
    assert names(desk.home / "nnUNetPlans_2d") == files_of(*LABELLED)
    desk.change_configuration("2d", spacing=[2.0, 2.0])
    assert {name: len(agenda.to_make) for name, agenda in desk.run().items()} == {"3d_fullres": 0, "2d": 3}


def test_the_split_file_is_compared(desk):
    (desk.home / "splits_final.json").write_text(
        json.dumps([{"train": ["case_1", "case_3"], "val": ["case_2"]}])
    )
    desk.run()
    assert [line.partition(": ")[2] for line in desk.said[-2:]] == [
        "1 case(s) are preprocessed and not in it, so only fold all trains on them: case_10.",
        "1 case(s) are in it and have no label, so only fold all can train until they have one: case_3.",
    ]


def test_the_entry_only_on_request(desk):
    before = (desk.raw / "dataset.json").read_bytes()
    desk.run()
    assert (desk.raw / "dataset.json").read_bytes() == before
    desk.run(entry=True)
    content = json.loads((desk.raw / "dataset.json").read_text())
    assert content["numTraining"] == 3
    assert content["dataset"]["case_1"] == {
        "images": ["imagesTr/case_1_0000.nii.gz"],
        "label": "labelsTr/case_1.nii.gz",
    }
    assert (desk.own / "raw_dataset_before.json").read_bytes() == before
    assert json.loads((desk.home / "dataset.json").read_text()) == content


def test_a_shifted_label_is_told_and_used(desk):
    file = desk.raw / "labelsTr/case_3.nii.gz"
    desk.label("case_3")
    image = SimpleITK.ReadImage(str(file))
    image.SetOrigin((5.0, 0.0, 0.0))
    SimpleITK.WriteImage(image, str(file))
    assert desk.run()["3d_fullres"].to_make.keys() == {*LABELLED, "case_3"}
    assert any(line.startswith("case_3: Warning: Origin mismatch") for line in desk.said)


def test_the_copy_of_a_label_follows_even_one_of_the_same_size_and_date(desk):
    desk.run()
    label = desk.raw / "labelsTr/case_1.nii.gz"
    about, content = label.stat(), bytearray(label.read_bytes())
    content[4] ^= 1  # a date inside the file, of no importance
    label.write_bytes(content)
    os.utime(label, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert desk.made() == {"case_1": agenda.OTHER_LABEL}
    assert (desk.home / "gt_segmentations/case_1.nii.gz").read_bytes() == content


def test_the_copy_of_dataset_json_follows(desk):
    desk.run()
    before = (desk.home / "dataset.json").read_bytes()
    desk.change(desk.raw / "dataset.json", labels={"background": 0, "liver": 1})
    assert desk.made() == dict.fromkeys(LABELLED, agenda.OTHER_RECIPE)
    assert json.loads((desk.home / "dataset.json").read_text())["labels"] == {"background": 0, "liver": 1}
    assert (desk.own / "dataset_before.json").read_bytes() == before
