"""What is remembered of a case counts for its key alone, and is complete or absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnunet_slpt.errors import FileError
from nnunet_slpt.selection.cache import CaseCache, cache_key

ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "names": np.array(["x", "ü"])}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    cache = CaseCache(tmp_path / "deep" / "er")
    cache.write("case 1.2", "key", ARRAYS)
    read = cache.read("case 1.2", "key")
    assert read is not None
    assert read.keys() == ARRAYS.keys()
    assert all(np.array_equal(read[name], ARRAYS[name]) for name in ARRAYS)


def test_another_key_or_case_is_unknown(tmp_path: Path) -> None:
    cache = CaseCache(tmp_path)
    cache.write("case", "key", ARRAYS)
    assert cache.read("case", "other") is None
    assert cache.read("other", "key") is None


def test_a_new_answer_replaces_the_old_one(tmp_path: Path) -> None:
    cache = CaseCache(tmp_path)
    cache.write("case", "old", ARRAYS)
    cache.write("case", "new", {"a": np.zeros(1)})
    assert cache.read("case", "old") is None
    assert [path.name for path in tmp_path.iterdir()] == ["case.npz"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, share: float) -> None:
    cache = CaseCache(tmp_path)
    cache.write("case", "key", ARRAYS)
    content = (tmp_path / "case.npz").read_bytes()
    (tmp_path / "case.npz").write_bytes(content[: int(share * len(content))])
    assert cache.read("case", "key") is None


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("a file where the folder should be")
    with pytest.raises(FileError, match=r"case\.npz cannot be written: .* correct this and start again"):
        CaseCache(tmp_path / "seen" / "features").write("case", "key", ARRAYS)


def test_a_key_depends_on_every_value_and_not_on_their_order() -> None:
    key = cache_key(image="1", model="2", step=0.5)
    assert key == cache_key(step=0.5, model="2", image="1")
    others = [cache_key(image="1", model="2", step=0.6), cache_key(image="2", model="1", step=0.5)]
    assert key not in others
