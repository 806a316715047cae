"""What nnU-Net calls its files and tensors, and how many cases its splits need.

Facts about the host that several parts rely on, each stated once. Must not import anything.
"""

__all__ = [
    "FEWEST_CASES",
    "FINGERPRINT_FILE",
    "HEADS",
    "HOST_FOLDS",
    "INTENSITIES",
    "LABELS_FOLDER",
    "SPLIT_FILE",
]

# In the preprocessed dataset's folder.
SPLIT_FILE = "splits_final.json"
FINGERPRINT_FILE = "dataset_fingerprint.json"
LABELS_FOLDER = "gt_segmentations"  # copies of the labels

INTENSITIES = "foreground_intensity_properties_per_channel"  # in fingerprint and plans

HOST_FOLDS = 5  # nnUNetTrainer.do_split; generate_crossval_split needs as many cases
FEWEST_CASES = 2  # to train a fold on; our trainers refuse fewer

HEADS = "decoder.seg_layers."  # how the names of a U-Net's segmentation heads begin
