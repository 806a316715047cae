"""Plans that hold what nnU-Net's preprocessor looks at."""

KWARGS = {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None}
CONFIGURATION = {
    "preprocessor_name": "DefaultPreprocessor",
    "data_identifier": "data",
    "patch_size": [8, 8, 8],
    "batch_size": 2,
    "spacing": [2.0, 1.0, 1.0],
    "normalization_schemes": ["CTNormalization"],
    "use_mask_for_norm": [False],
    "resampling_fn_data": "resample_data_or_seg_to_shape",
    "resampling_fn_data_kwargs": KWARGS,
    "resampling_fn_seg": "resample_data_or_seg_to_shape",
    "resampling_fn_seg_kwargs": KWARGS | {"is_seg": True},
    "architecture": {},
}
PLANS = {
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [1, 0, 2],
    "transpose_backward": [1, 0, 2],
    "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {
        "0": {"mean": 0.0, "std": 1.0, "percentile_00_5": -3.0, "percentile_99_5": 3.0}
    },
    "plans_name": "Plans",
    "configurations": {},
}
