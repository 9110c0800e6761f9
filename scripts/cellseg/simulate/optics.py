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


def uneven_light(size: tuple[int, int], strength: np.ndarray) -> np.ndarray:
    """Grey values by which the light differs over a frame.

    Parameters
    ----------
    strength : ndarray of shape (2, 2), see :class:`cellseg.simulate.variation.Departure`

    Returns
    -------
    ndarray of shape `size`, float32, of zero mean
    """
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) for side in size)
    light = strength[0, 0] * rows[:, None] + strength[0, 1] * columns
    light = light + strength[1, 0] * rows[:, None] ** 2 + strength[1, 1] * columns**2
    return (light - light.mean()).astype(np.float32)


def streaks(size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Fine parallel streaks in a direction of their own, of zero mean and unit variance."""
    angle = random.uniform(0, np.pi)
    reach = 10
    steps = np.arange(-reach, reach + 1)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    kernel[reach + np.rint(steps * np.sin(angle)).astype(int),
           reach + np.rint(steps * np.cos(angle)).astype(int)] = 1  # fmt: skip
    field = cv2.filter2D(random.standard_normal(size, np.float32), -1, kernel)
    return (field - field.mean()) / field.std()


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
