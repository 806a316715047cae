"""Which entries nnU-Net's preprocessor looks at: by these a preprocessed case counts as up to date."""

import numpy as np
import pytest
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager
from preprocessor_plans import CONFIGURATION, PLANS

from nnunet_slpt.preprocessing.recipe import OF_CONFIGURATION, OF_PLANS


class Watched(dict):
    """A dictionary that remembers what it was asked for."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked = set()

    def __getitem__(self, key):
        self.asked.add(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.asked.add(key)
        return super().get(key, default)


@pytest.mark.parametrize(
    "labels", [{"background": 0, "organ": 1}, {"background": 0, "all": [1, 2], "core": [2]}]
)
def test_what_the_preprocessor_looks_at(tmp_path, labels):
    plans, configuration = Watched(PLANS), Watched(CONFIGURATION)
    dataset_json = Watched({"labels": labels, "regions_class_order": [1, 2], "file_ending": ".nii.gz"})
    manager = PlansManager(plans)
    random = np.random.default_rng(0)
    image = random.normal(size=(1, 9, 10, 11)).astype(np.float32)
    label = random.integers(0, 2, (1, 9, 10, 11)).astype(np.float32)
    preprocessor = DefaultPreprocessor(verbose=False)
    manager.image_reader_writer_class()
    preprocessor.run_case_npy(
        image, label, {"spacing": [1.0, 1.0, 1.0]}, manager, ConfigurationManager(configuration), dataset_json
    )
    assert configuration.asked <= set(OF_CONFIGURATION)
    assert plans.asked <= {*OF_PLANS, "foreground_intensity_properties_per_channel"}
    assert dataset_json.asked <= {"labels", "regions_class_order"}
