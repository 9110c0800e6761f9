"""Random changes of grey values: another focus, exposure or camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

WHITE = 255.0


@dataclass(frozen=True)
class Intensity:
    """How far the grey values of a tile are changed. Off by default, each by itself.

    In the order of a microscope: blur, gamma, contrast, brightness, noise; then cut off at black
    and white. Each is drawn evenly from its range, factors on a logarithmic scale.

    Attributes
    ----------
    brightness : largest shift either way, share of the range from black to white
    contrast : largest factor about the tile's mean; the smallest is its inverse. 1 means none
    gamma : largest exponent; the smallest is its inverse. 1 means none
    blur : largest standard deviation of a Gaussian, pixels; the smallest is 0
    noise : largest standard deviation of noise, share of the range; the smallest is 0
    """

    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    blur: float = 0.0
    noise: float = 0.0

    @property
    def is_off(self) -> bool:
        """Whether nothing is ever changed."""
        return self == Intensity()

    def apply(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Draw and make the changes.

        Parameters
        ----------
        image : ndarray of shape (H, W), float32, 0 to 255

        Returns
        -------
        ndarray of shape (H, W), float32, 0 to 255
        """
        if self.is_off:
            return image
        # Always all of them: what one is set to changes nothing in the others.
        blur, gamma, contrast, brightness, noise = random.uniform(-1, 1, 5).tolist()
        seed = random.integers(2**32, dtype=np.uint32)
        sigma = abs(blur) * self.blur
        if sigma > 0:
            image = cv2.GaussianBlur(image, (0, 0), sigma)
        exponent, factor = self.gamma**gamma, self.contrast**contrast
        grey = WHITE * (np.arange(256) / WHITE) ** exponent
        mean = WHITE * (float(image.mean()) / WHITE) ** exponent
        table = (grey - mean) * factor + mean + WHITE * self.brightness * brightness
        return _changed(image, table.astype(np.float32), WHITE * self.noise * abs(noise), seed)


@njit(cache=True, nogil=True, error_model="numpy")
def _changed(image, table, deviation, seed):
    """Grey values by a table, linear between its entries, with noise, cut off at both ends."""
    changed = np.empty_like(image)
    for row in range(len(image)):
        _by_table(image[row], table, changed[row])
        if deviation > 0:
            _add_noise(changed[row], np.float32(deviation), _mixed(np.uint32(seed + row)))
        _cut_off(changed[row])
    return changed


@njit(cache=True, nogil=True)
def _by_table(line, table, changed):
    for column in range(np.uint64(len(line))):
        value = min(max(line[column], np.float32(0)), np.float32(255))
        below = min(np.int32(value), np.int32(254))
        low, high = table[np.uint32(below)], table[np.uint32(below + 1)]
        changed[column] = low + (value - np.float32(below)) * (high - low)


@njit(cache=True, nogil=True)
def _add_noise(line, deviation, key):
    """Nearly normal noise: the sum of four even numbers, by hashing the pixel's place.

    NumPy's normal numbers would take as long as all else that is done to a tile.
    """
    # The sum of four numbers from 0 to 65535 has a variance of 4 * 65536**2 / 12.
    scale = np.float32(deviation * np.sqrt(3.0) / 65536.0)
    low, mean = np.uint32(0xFFFF), np.int32(2 * 65535)
    for column in range(np.uint64(len(line))):
        first = _mixed(np.uint32(key + np.uint32(2 * column)))
        second = _mixed(np.uint32(key + np.uint32(2 * column + np.uint64(1))))
        total = np.int32(first & low) + np.int32(first >> np.uint32(16))
        total += np.int32(second & low) + np.int32(second >> np.uint32(16))
        line[column] += scale * np.float32(np.int32(total - mean))


@njit(cache=True, nogil=True)
def _cut_off(line):
    for column in range(np.uint64(len(line))):
        line[column] = min(max(line[column], np.float32(0)), np.float32(255))


@njit(cache=True, nogil=True, inline="always")
def _mixed(key):
    """A hash of 32 bits (the finaliser of MurmurHash3, Appleby, public domain)."""
    key = np.uint32(key ^ (key >> np.uint32(16)))
    key = np.uint32(key * np.uint32(0x85EBCA6B))
    key = np.uint32(key ^ (key >> np.uint32(13)))
    key = np.uint32(key * np.uint32(0xC2B2AE35))
    return np.uint32(key ^ (key >> np.uint32(16)))
