"""Parts of a data set, by what their images are used for."""

SPLITS = ("train", "val", "test")
TRAINING_SPLITS = SPLITS[:2]
"""Those that a network sees during its training: to learn from, and to choose its weights by."""
HELD_OUT = "held-out"
"""What tables call the split of images that a fold of a cross-validation holds out."""
