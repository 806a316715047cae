"""What is said about a model and a dataset that differ, and that nothing is said where they do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_models import about, as_before_2_3, plans_of

from nnunet_slpt.errors import PlanningError
from nnunet_slpt.planners.comparison import Comparison, Finding, findings_of, refuse
from nnunet_slpt.planners.findings import AT_FIRST, OF_IMAGES
from nnunet_slpt.planners.target import Target
from nnunet_slpt.pretrained import Model, Pretrained

LABELS = {"background": 0, "organ": 1}
HEADS = {f"decoder.seg_layers.0.{part}": torch.ones(2) for part in ("weight", "bias")}


@pytest.fixture
def found(place: Any) -> Any:
    """Write a dataset, put a model beside it, and give what is found of one subject as level → text."""

    def look(subject: str, plans: Any = None, stem: str | None = None, **unlike: Any) -> dict[str, str]:
        raw = {"channels": ("MRI",), "labels": LABELS, **unlike.pop("dataset", {})}
        place.dataset(**raw)
        model_json = about(unlike.pop("channels", ("MRI",)), unlike.pop("labels", LABELS))
        source = unlike.pop("source", Path())
        plans = plans or plans_of(channels=len(model_json["channel_names"]))
        (configuration,) = plans["configurations"]
        weights = unlike.pop("weights", HEADS)
        assert not unlike
        pretrained = Pretrained(Path("tuned.pth"), weights, plans, model_json, configuration, "")
        model = Model(source, "", "", plans, model_json, configuration, "", pretrained)
        target = Target.of("200")
        findings = findings_of(Comparison(model, plans, target, stem), (*AT_FIRST, *OF_IMAGES))
        return {one.level: one.text + one.remedy for one in findings if one.subject == subject}

    return look


SUBJECTS = (
    "plans",
    "architecture",
    "cascade",
    "channels",
    "normalisation",
    "cases",
    "reader",
    "dimensions",
    "spacing",
)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_nothing_is_said_of_what_is_alike(found: Any, subject: str) -> None:
    assert found(subject) == {}


def test_old_plans_are_a_note(found: Any, place: Any) -> None:
    place.dataset()
    plans = plans_of()
    nothing = Pretrained(Path(), {}, {}, {}, "3d_fullres", "")
    model = Model(Path(), "", "", as_before_2_3(plans), about(), "3d_fullres", "", nothing)
    first = findings_of(Comparison(model, plans, Target.of("200")), AT_FIRST)[0]
    assert (first.level, first.subject) == ("note", "plans")


def test_a_network_without_a_place_for_prompts_is_an_error(found: Any) -> None:
    plans = plans_of()
    plans["configurations"]["3d_fullres"]["architecture"]["network_class_name"] = "somewhere.Primus"
    assert "Primus" in found("architecture", plans)["error"]


def test_the_second_stage_of_a_cascade_is_an_error(found: Any) -> None:
    plans = plans_of()
    plans["configurations"]["3d_fullres"]["previous_stage"] = "3d_lowres"
    assert "second stage" in found("cascade", plans)["error"]


def test_another_number_of_channels_names_both_and_the_option(found: Any) -> None:
    text = found("channels", dataset={"channels": ("T1", "T2")})["error"]
    assert "has 2 (T1, T2), the model expects 1 (MRI)" in text
    assert "--stem repeat" in text


def test_with_the_option_it_says_what_is_normalised_as_what(found: Any) -> None:
    text = found("channels", stem="repeat", channels=("A", "B"), dataset={"channels": ("T1", "T2", "T3")})
    assert "T1 as A, T2 as B, T3 as A" in text["warning"]


def test_channels_of_other_names_are_a_warning(found: Any) -> None:
    assert "called T1, the model's MRI" in found("channels", dataset={"channels": ("T1",)})["warning"]


def test_spelling_in_capitals_is_no_other_name(found: Any) -> None:
    assert found("channels", dataset={"channels": ("mri",)}) == {}


def test_another_normalisation_is_a_warning_and_the_models_stays(found: Any) -> None:
    text = found("normalisation", dataset={"channels": ("CT",)})["warning"]
    assert "channel 0 (CT) would get CTNormalization" in text
    assert "ZScoreNormalization is kept" in text


def test_labels_are_told_by_name(found: Any) -> None:
    text = found(
        "labels",
        labels={"background": 0, "b": 1, "a": 2},
        dataset={"labels": {"background": 0, "a": 1, "c": 2}},
    )
    assert text == {"note": "known by name: a; new: c; not used: b."}


def test_a_tuning_with_prompts_leaves_no_head_to_start_from(found: Any) -> None:
    plans = plans_of() | {"slpt": {"pretrained_checkpoint": "base.pth"}}
    text = found("labels", plans, weights={"heads.weights.0": torch.ones(2)})["note"]
    assert text.endswith(
        "all heads start anew.To start from heads, plan from the network that it was tuned in, base.pth."
    )


def test_a_tuning_with_lora_is_an_error_with_what_it_was_tuned_in(found: Any) -> None:
    plans = plans_of() | {"slpt": {"pretrained_checkpoint": "base.pth"}}
    weights = {**HEADS, "encoder.conv.parametrizations.weight.0.up": torch.ones(2)}
    text = found("architecture", plans, weights=weights)["error"]
    assert "tuned.pth was tuned with LoRA" in text
    assert text.endswith("Start from the network that it was tuned in, base.pth.")


def test_regions_against_ordinary_labels(found: Any) -> None:
    regions = {"background": 0, "whole": [1, 2], "organ": 2}
    more = {"regions_class_order": [1, 2]}
    text = found("labels", dataset={"labels": regions, "more": more})["note"]
    assert "has overlapping regions, the model ordinary labels" in text


@pytest.mark.parametrize(("channels", "how"), [(("MRI",), "-m ."), (("A", "B"), "-strategy random")])
def test_the_first_are_chosen_by_what_the_model_can_look_at(found: Any, channels: Any, how: str) -> None:
    text = found("cases", stem="repeat", channels=channels, dataset={"labelled": 0})["note"]
    assert text.endswith(f"nnunet_slpt_select -d Dataset200_Target -n 4 {how}")


def test_a_model_whose_reader_does_not_read_the_files_cannot_choose(found: Any) -> None:
    plans = plans_of() | {"image_reader_writer": "Tiff3DIO"}
    assert found("cases", plans, dataset={"labelled": 0})["note"].endswith("-n 4 -strategy random")


def test_a_zip_is_to_be_unpacked_before_it_chooses_cases(found: Any, tmp_path: Path) -> None:
    source = tmp_path / "model.zip"
    source.touch()
    text = found("cases", source=source, dataset={"labelled": 0})["note"]
    assert text.endswith(
        f"-n 4 -m MODEL, the folder that nnUNetv2_install_pretrained_model_from_zip makes of {source}"
    )


def test_unlabelled_cases_are_a_note(found: Any) -> None:
    assert found("cases", dataset={"labelled": 1})["note"].startswith("1 of 4 have a label.")


def test_the_models_reader_stays_if_it_reads_the_files(found: Any) -> None:
    assert found("reader", plans_of() | {"image_reader_writer": "NibabelIOWithReorient"}) == {}


def test_one_damaged_image_changes_no_reader(found: Any, place: Any) -> None:
    place.dataset()
    (place.folder / "raw/Dataset200_Target/imagesTr/case_0_0000.nii.gz").write_bytes(b"damaged")
    target = Target.of("200")
    assert type(target.reader("NibabelIOWithReorient")).__name__ == "NibabelIOWithReorient"


@pytest.mark.parametrize("reader", ["Tiff3DIO", "OfSomebodysOwn"])
def test_a_reader_that_does_not_is_replaced_with_a_warning(found: Any, reader: str) -> None:
    text = found("reader", plans_of() | {"image_reader_writer": reader})["warning"]
    assert f"read with SimpleITKIO, the model's were with {reader}" in text


def test_nnunets_word_for_no_reader_is_none(found: Any) -> None:
    wanted = {"more": {"overwrite_image_reader_writer": "None"}}
    plans = plans_of() | {"image_reader_writer": "NibabelIOWithReorient"}
    assert found("reader", plans, dataset=wanted) == {}


def test_the_datasets_own_reader_wins(found: Any) -> None:
    wanted = {"more": {"overwrite_image_reader_writer": "NibabelIO"}}
    assert "read with NibabelIO" in found("reader", dataset=wanted)["warning"]


def test_flat_images_for_a_3d_network_are_an_error(found: Any) -> None:
    assert "flat" in found("dimensions", dataset={"shape": (20, 20, 1)})["error"]


def test_slices_for_a_2d_network_are_a_note(found: Any) -> None:
    assert "slice by slice" in found("dimensions", plans_of(axes=2))["note"]


@pytest.mark.parametrize(("millimetres", "far"), [(1.4, False), (1.6, True), (0.7, False), (0.6, True)])
def test_spacing_is_far_beyond_a_factor(found: Any, millimetres: float, far: bool) -> None:
    assert bool(found("spacing", dataset={"spacing": (1, 1, millimetres)})) == far


def test_spacing_is_compared_in_the_models_order(found: Any) -> None:
    plans = plans_of() | {"transpose_forward": [2, 1, 0]}
    plans["configurations"]["3d_fullres"]["spacing"] = [1.0, 1.0, 3.0]
    # Files have x first, readers z first, and the model turns that round again.
    assert found("spacing", plans, dataset={"spacing": (1, 1, 3)}) == {}


def test_errors_end_it_and_warnings_do_not() -> None:
    warning, error = Finding("warning", "a", "b."), Finding("error", "channels", "too many.", "Take fewer.")
    refuse([warning])
    with pytest.raises(PlanningError, match=r"^channels: too many\. Take fewer\.$"):
        refuse([warning, error])
