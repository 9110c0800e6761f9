"""What a phase-contrast microscope and its camera make of optical thickness."""

import cv2
import numpy as np

BACKGROUND = 128.0  # median grey value of LIVECell's frames
GAIN = 2.0


def smooth_noise(size: tuple[int, int], scale: float, random: np.random.Generator) -> np.ndarray:
    """Gaussian random field of zero mean, unit variance and correlation length `scale` (pixels)."""
    # Drawn coarsely and enlarged: a wide blur of the full frame would cost more than the rest.
    step = max(1, int(scale / 2))
    coarse = tuple(-(-side // step) + 1 for side in size)
    field = cv2.GaussianBlur(random.standard_normal(coarse, np.float32), (0, 0), scale / step)
    # A wide field has few independent values; their chance mean would shift the whole frame.
    field -= field.mean()
    field /= field.std()
    return cv2.resize(field, size[::-1], interpolation=cv2.INTER_CUBIC)


def phase_contrast(thickness: np.ndarray, blur: float) -> np.ndarray:
    """Grey values about zero of an object of the given optical thickness.

    The finite phase ring lets a phase microscope show thickness minus its local mean (Yin et al.,
    Medical Image Analysis 2012): dark inside a rim, a bright halo outside. LIVECell's frames are
    high-pass filtered besides, so that flat regions are as grey as the background.

    Parameters
    ----------
    thickness : ndarray of shape (H, W), float32, grey values
    blur : width of the point spread function, pixels; larger where the focus is off

    Returns
    -------
    ndarray of shape (H, W), float32
    """
    sharp = cv2.GaussianBlur(thickness, (0, 0), blur)
    ring = cv2.GaussianBlur(thickness, (0, 0), 2.1 * blur)
    wide = cv2.GaussianBlur(thickness, (0, 0), 4.5 * blur)
    return GAIN * (0.85 * ring + 0.15 * wide - sharp)


def camera(signal: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Add background, uneven lighting and sensor noise, and digitise.

    Parameters
    ----------
    signal : ndarray of shape (H, W), float32, grey values about zero

    Returns
    -------
    ndarray of shape (H, W), uint8
    """
    grain = cv2.GaussianBlur(random.standard_normal(signal.shape, np.float32), (0, 0), 0.6)
    lighting = smooth_noise(signal.shape, 120, random)
    grey = BACKGROUND + signal + 1.25 * grain / grain.std() + 0.4 * lighting
    # Bright and dark saturate softly, as they do in the real frames.
    contrast = grey - BACKGROUND
    grey = BACKGROUND + 110 * np.tanh(contrast / 110)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
