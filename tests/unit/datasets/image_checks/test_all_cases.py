"""Images of many cases: which reader, in which order, and what becomes of those with problems."""

import builtins
import io
import multiprocessing
import os
import sys
import threading
from typing import Any

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from nnunet_slpt.datasets import image_checks, workers
from nnunet_slpt.datasets.image_checks import check_images, find_reader, read_file, refuse_or_skip
from nnunet_slpt.datasets.image_files import image_key
from nnunet_slpt.errors import DatasetError


@pytest.fixture
def pool(scans):
    """Five cases with two channels; c is cut short, e holds NaN."""
    cases = [scans.case(name, ".mha", 2, seed) for seed, name in enumerate("abcde")]
    cases[2].images[1].write_bytes(cases[2].images[1].read_bytes()[:-20])
    scans.write("e_0000.mha", np.full((7, 5, 6), np.nan))
    return cases


def problems_of(cases, dataset_json, processes):
    return check_images(cases, dataset_json, processes, find_reader(cases, dataset_json))


# Reading all


@pytest.mark.parametrize("processes", [1, 3])
def test_the_answer_is_in_order_whatever_the_order_of_cases(pool, describe, processes):
    problems = problems_of(pool[::-1], describe(".mha", 2), processes)
    assert list(problems) == ["c", "e"]
    assert problems["c"].startswith("c_0001.mha: cannot be read (RuntimeError")
    assert problems["e"] == "e_0000.mha: 210 of 210 voxels are NaN or infinite"


def test_a_lacking_channel_is_a_problem_of_the_case(scans, describe):
    problems = problems_of([scans.case("a"), scans.case("b")], describe(channels=2), 1)
    assert problems == dict.fromkeys("ab", "its 1 file(s) hold 1 channel(s), expected 2")


def test_of_no_cases_there_are_no_problems(describe):
    assert problems_of([], describe(), 2) == {}


def test_a_bar_shows_how_far_it_is(pool, describe, capsys):
    problems_of(pool, describe(".mha", 2), 1)
    assert "5/5" in capsys.readouterr().err


def test_a_killed_process_is_told(pool, describe, monkeypatch):
    # "fork", so that the child has the patched function; the first case is looked at here.
    here, fork = os.getpid(), multiprocessing.get_context("fork")
    monkeypatch.setattr(workers, "START_SECONDS", 0.0)
    monkeypatch.setattr(workers.multiprocessing, "get_context", lambda _: fork)
    monkeypatch.setattr(image_checks, "read_case", lambda *_: os.getpid() == here or os._exit(9))
    with pytest.raises(DatasetError, match=r"was killed.*fewer than 2 processes .-npp"):
        problems_of(pool, describe(".mha", 2), 2)


# Labels


def test_labels_are_not_looked_at(pool, describe, monkeypatch):
    touched = []

    def note(function):
        def noting(path=".", *arguments, **options):
            touched.append(str(path))
            return function(path, *arguments, **options)

        return noting

    for module, name in ((os, "stat"), (os, "lstat"), (os, "open"), (builtins, "open"), (io, "open")):
        monkeypatch.setattr(module, name, note(getattr(module, name)))
    problems_of(pool, describe(".mha", 2), 1)
    for case in pool:
        image_key(case)
    assert any(path.endswith("a_0000.mha") for path in touched)
    assert not [path for path in touched if path.startswith(str(pool[0].label.parent))]


# The reader


@pytest.mark.parametrize(
    ("ending", "reader"),
    [
        (".nii.gz", "SimpleITKIO"),
        (".nii", "NibabelIO"),
        (".nrrd", "SimpleITKIO"),
        (".png", "NaturalImage2DIO"),
        (".tif", "Tiff3DIO"),
        (".tiff", "Tiff3DIO"),
    ],
)
def test_the_reader_is_the_one_of_nnunet(scans, describe, ending, reader):
    assert type(find_reader([scans.case(ending=ending)], describe(ending))).__name__ == reader


def test_flat_tiffs_have_another_reader(scans, describe):
    imsave(scans.folder / "a_0000.tif", scans.voxels()[0], check_contrast=False)
    case = scans.of([scans.folder / "a_0000.tif"])
    assert type(find_reader([case], describe(".tif"))).__name__ == "NaturalImage2DIO"
    assert problems_of([case], describe(".tif"), 1) == {}


def test_a_damaged_first_image_does_not_mislead(scans, describe):
    first, second = scans.case("a", ".tif"), scans.case("b", ".tif")
    # Without its later slices it looks like a flat picture.
    tifffile.imwrite(first.images[0], scans.voxels(shape=(7, 50, 60)), compression="zlib")
    content = first.images[0].read_bytes()
    first.images[0].write_bytes(content[: len(content) // 5])
    assert type(find_reader([first, second], describe(".tif"))).__name__ == "Tiff3DIO"
    assert list(problems_of([first, second], describe(".tif"), 1)) == ["a"]


def test_if_no_image_can_be_read_each_is_told(scans, describe):
    cases = [scans.case("a"), scans.case("b")]
    for case in cases:
        case.images[0].write_bytes(b"nothing")
    assert list(problems_of(cases, describe(), 1)) == ["a", "b"]


def test_a_reader_may_be_named_in_dataset_json(scans, describe):
    dataset_json = describe(overwrite_image_reader_writer="NibabelIO")
    assert type(find_reader([scans.case()], dataset_json)).__name__ == "NibabelIO"


def test_without_a_reader_for_the_ending_it_is_refused(scans, describe):
    with pytest.raises(
        DatasetError, match=r"no reader for the file ending '\.raw'.*overwrite_image_reader_writer"
    ):
        find_reader([scans.case()], describe(".raw", overwrite_image_reader_writer="Unheard"))


# What becomes of them


def test_problems_are_refused_with_the_first_ten(scans):
    problems = {f"case_{number:02d}": f"problem {number}" for number in reversed(range(13))}
    with pytest.raises(DatasetError) as error:
        refuse_or_skip(problems, skip_unreadable=False)
    lines = str(error.value).splitlines()
    assert lines[0] == "13 case(s) have images that cannot be used:"
    assert lines[1:11] == [f"  case_{number:02d}: problem {number}" for number in range(10)]
    assert lines[11] == "  and 3 more"
    assert "--skip_unreadable" in lines[12]


def test_ten_problems_are_all_named():
    with pytest.raises(DatasetError, match=r"  9: x\nRepair"):
        refuse_or_skip(dict.fromkeys("0123456789", "x"), skip_unreadable=False)


def test_problems_are_left_out_if_wanted():
    assert refuse_or_skip({"b": "x", "a": "y"}, skip_unreadable=True) == {"a", "b"}
    assert refuse_or_skip({}, skip_unreadable=False) == frozenset()


# The key


def test_the_key_is_of_the_content_alone(scans, tmp_path_factory):
    case = scans.case(channels=2)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    moved = [elsewhere / f"{number}.nii.gz" for number in (0, 1)]
    for old, new in zip(case.images, moved, strict=True):
        new.write_bytes(old.read_bytes())
    assert image_key(scans.of(moved, "another name")) == image_key(case)
    assert len(image_key(case)) == 64


def test_the_key_notices_every_change(scans):
    case = scans.case(ending=".tiff", channels=2)
    first, second = case.images
    keys = [
        image_key(of) for of in (case, scans.of([second, first]), scans.of([first]), scans.of([first] * 2))
    ]
    (scans.folder / "a.json").write_text('{"spacing": [2, 1, 1]}')
    keys.append(image_key(case))
    (scans.folder / "a.json").unlink()
    keys.append(image_key(case))
    first.write_bytes(first.read_bytes() + second.read_bytes())
    second.write_bytes(b"")
    keys.append(image_key(case))
    second.unlink()
    keys.append(image_key(case))
    assert len(set(keys)) == len(keys) == 8


def test_readers_at_work_in_two_threads_leave_the_output_as_it_was(scans, monkeypatch):
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, getattr(sys, stream))
    file, before = scans.case().images[0], (sys.stdout, sys.stderr)
    begun, go_on = ([threading.Event(), threading.Event()] for _ in range(2))

    def read(number: int) -> Any:
        begun[number].set()
        assert go_on[number].wait(10)
        return np.ones((1, 2, 2, 2), np.float32), {}

    threads = [
        threading.Thread(target=read_file, args=(file, lambda _, number=number: read(number)))
        for number in (0, 1)
    ]
    threads[0].start()
    assert begun[0].wait(10)
    threads[1].start()
    begun[1].wait(0.2)  # it is inside by then only if nothing holds it up
    for number in (0, 1):  # the first to come leaves first
        go_on[number].set()
        threads[number].join()
    assert (sys.stdout, sys.stderr) == before
