"""The U-Net of Ronneberger et al. (MICCAI 2015) in three depths."""
