"""What nnU-Net calls its files and tensors, and how many cases its splits need.

Facts about the host that several parts rely on, each stated once. Must not import anything.
"""

__all__ = [
    "BEST",
    "FEWEST_CASES",
    "FINAL",
    "FINGERPRINT_FILE",
    "HEADS",
    "HOST_FOLDS",
    "IMAGES_BY_CONFIGURATION",
    "IMAGES_BY_PLANS",
    "INTENSITIES",
    "LABELS_FOLDER",
    "LATEST",
    "SPLIT_FILE",
]

# In the preprocessed dataset's folder.
SPLIT_FILE = "splits_final.json"
FINGERPRINT_FILE = "dataset_fingerprint.json"
LABELS_FOLDER = "gt_segmentations"  # copies of the labels

INTENSITIES = "foreground_intensity_properties_per_channel"  # in fingerprint and plans
# By what nnU-Net prepares an image: of the plans, and of a configuration in them.
IMAGES_BY_PLANS = ("image_reader_writer", "transpose_forward")
IMAGES_BY_CONFIGURATION = (
    "preprocessor_name",
    "spacing",
    "normalization_schemes",
    "use_mask_for_norm",
    "resampling_fn_data",
    "resampling_fn_data_kwargs",
)

# Checkpoints of a fold.
FINAL = "checkpoint_final.pth"  # when the training has ended
BEST = "checkpoint_best.pth"
LATEST = "checkpoint_latest.pth"  # every so often, until it ends

HOST_FOLDS = 5  # nnUNetTrainer.do_split; generate_crossval_split needs as many cases
FEWEST_CASES = 2  # to train a fold on; our trainers refuse fewer

HEADS = "decoder.seg_layers."  # how the names of a U-Net's segmentation heads begin
