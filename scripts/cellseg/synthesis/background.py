"""A phase-contrast image without its cells: brightness, noise, and what else lies between them."""

from dataclasses import dataclass

import cv2
import numpy as np

REACH = 8  # pixels around cells in which their halo may be seen
SMOOTH = 32.0  # standard deviation of the Gaussian that gives the brightness, pixels
LAGS = 12  # pixels over which the noise is correlated at most
LEAST = 0.005  # share of the image from which brightness and noise can be taken
OUTLYING = 3.0  # standard deviations; what deviates more is debris
WINDOW = 9  # pixels, in which brightness varies within cells but not between them
TEXTURED = 4.0  # standard deviations of the noise; what varies more shows something
AS_LARGE = 0.5  # median areas of a cell; something so large may be a cell without an outline


@dataclass(frozen=True)
class Background:
    """What an image is where there are no cells.

    Attributes
    ----------
    level : ndarray of shape (H, W), float32; smooth brightness, grey values
    residual : ndarray of shape (H, W), float32
        The image minus `level`, noise and debris, of use where `cover` is 0
    cover : ndarray of shape (H, W), float32
        1 in and near cells, falling to 0 over some pixels
    strange : ndarray of shape (H, W), bool
        What looks like cells and has no outline; as covered as they are
    spectrum : ndarray of shape (H, W), float32; amplitude of the noise's Fourier coefficients
    """

    level: np.ndarray
    residual: np.ndarray
    cover: np.ndarray
    strange: np.ndarray
    spectrum: np.ndarray

    def texture(self, random: np.random.Generator) -> np.ndarray:
        """Draw Gaussian noise with the covariance of the image's own, (H, W) float32."""
        white = np.fft.rfft2(random.standard_normal(self.level.shape, np.float32))
        return np.fft.irfft2(white * self.spectrum, self.level.shape).astype(np.float32)

    def erased(self, random: np.random.Generator) -> np.ndarray:
        """Deviations from `level` without cells, (H, W) float32.

        The image's own where no cell is near, drawn noise where one is. Between them squared
        weights add up to one: a mean of two independent noises would be quieter than either.
        """
        drawn = self.texture(random)
        return np.sqrt(1 - self.cover**2) * self.residual + self.cover * drawn


def estimate(image: np.ndarray, cells: np.ndarray, area: float = np.inf) -> Background:
    """Estimate the background of an image.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    cells : ndarray of shape (H, W), bool; True in every cell
    area : median area of a cell, pixels; what is textured and about as large is taken away, too
    """
    grey = image.astype(np.float32)
    free = _free(grey, cells)
    middle = float(np.median(grey[free]))
    spread = 1.4826 * max(float(np.median(np.abs(grey[free] - middle))), 0.5)
    quiet = _without_debris(free, np.abs(grey - middle) > OUTLYING * spread)
    weight = cv2.GaussianBlur(quiet.astype(np.float32), (0, 0), SMOOTH)
    sums = cv2.GaussianBlur(np.where(quiet, grey - middle, 0).astype(np.float32), (0, 0), SMOOTH)
    level = middle + sums / (weight + 0.01)
    residual = grey - level
    strange = _strange(residual, cells, float(residual[quiet].std()), AS_LARGE * area)
    cover = _cover(cells | strange)
    return Background(level, residual, cover, strange, _spectrum(residual, quiet))


def _strange(residual: np.ndarray, cells: np.ndarray, noise: float, area: float) -> np.ndarray:
    """What is textured as cells are and covers so many pixels, clear of the cells' halos.

    With what lies between it and cells next to it: their halo is not seen there.
    """
    clear = (distance_to(cells) > REACH).astype(np.float32)
    count, total, squares = (
        cv2.blur(values * clear, (WINDOW, WINDOW)) for values in (1, residual, residual**2)
    )
    variance = squares / np.maximum(count, 1e-6) - (total / np.maximum(count, 1e-6)) ** 2
    textured = (clear > 0) & (variance > (TEXTURED * noise) ** 2)
    _, parts, found, _ = cv2.connectedComponentsWithStats(textured.astype(np.uint8))
    large = found[:, cv2.CC_STAT_AREA] >= area
    large[0] = False  # what is not textured
    between = (distance_to(large[parts]) <= REACH) & (clear == 0) & ~cells
    return large[parts] | between


def _without_debris(free: np.ndarray, outlying: np.ndarray) -> np.ndarray:
    """Free pixels away from outlying ones, where enough are left: debris is no noise."""
    grown = cv2.dilate((outlying & free).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    for quiet in (free & ~grown, free & ~outlying):
        if quiet.mean() >= LEAST:
            return quiet
    return free


def _free(grey: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Pixels that show background: as far from cells as there are enough of."""
    away = distance_to(cells)
    for reach in (REACH, REACH // 2, 1, 0):
        free = away > reach
        if free.mean() >= LEAST:
            return free
    # Cells cover all of it; then the quietest places must serve.
    mean = cv2.blur(grey, (5, 5))
    variance = cv2.blur(grey * grey, (5, 5)) - mean * mean
    return variance <= np.quantile(variance, 0.01)


def _cover(cells: np.ndarray) -> np.ndarray:
    away = distance_to(cells)
    return np.clip((REACH + 3 - away) / 3, 0, 1).astype(np.float32)


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest True one, pixels, float32; large if there is none."""
    if not mask.any():
        return np.full(mask.shape, 1e6, np.float32)
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)


def _spectrum(noise: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Amplitudes of a stationary noise that is seen in the free pixels only.

    The autocovariance over pairs of free pixels, up to some lag, and its Fourier transform
    (Wiener and Khinchin).
    """
    shape = noise.shape
    some = np.where(free, noise - noise[free].mean(), 0)
    padded = [length + LAGS for length in shape]
    pairs = np.fft.irfft2(np.abs(np.fft.rfft2(free.astype(np.float64), padded)) ** 2, padded)
    sums = np.fft.irfft2(np.abs(np.fft.rfft2(some, padded)) ** 2, padded)
    covariance = sums / np.maximum(pairs, 1)
    kept = np.zeros(shape)
    lags = np.r_[-LAGS + 1 : LAGS]
    taper = 0.5 * (1 + np.cos(np.pi * lags / LAGS))
    kept[np.ix_(lags % shape[0], lags % shape[1])] = covariance[
        np.ix_(lags % padded[0], lags % padded[1])
    ] * np.outer(taper, taper)
    return np.sqrt(np.maximum(np.fft.rfft2(kept).real, 0)).astype(np.float32)
