"""Label images of many cells, and predictions of them with errors of one kind."""

import numpy as np


def ellipses(n: int, height: int, width: int, seed: int) -> np.ndarray:
    """Label image of about n cells on a jittered grid; many touch."""
    random = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.int32)
    pitch = np.sqrt(height * width / n)
    row, column = np.mgrid[:height, :width]
    value = 0
    for y in np.arange(pitch / 2, height, pitch):
        for x in np.arange(pitch / 2, width, pitch):
            value += 1
            dy, dx = row - y - random.normal() * pitch / 8, column - x - random.normal() * pitch / 8
            angle, a, b = random.uniform(0, np.pi), *(pitch * random.uniform(0.3, 0.65, 2))
            u = dy * np.cos(angle) + dx * np.sin(angle)
            v = dx * np.cos(angle) - dy * np.sin(angle)
            labels[(u / a) ** 2 + (v / b) ** 2 < 1] = value
    return labels


def sequential(labels: np.ndarray) -> np.ndarray:
    return np.unique(np.append(labels.ravel(), 0), return_inverse=True)[1][:-1].reshape(
        labels.shape
    )


def spoilt(true: np.ndarray, how: int, random: np.random.Generator) -> np.ndarray:
    """A prediction with errors of one kind."""
    columns = np.arange(true.shape[1])
    if how == 0:  # other cells
        return ellipses(int(random.integers(10, 80)), *true.shape, int(random.integers(10**6)))
    if how == 1:  # shifted
        return np.roll(true, random.integers(0, 4, 2), (0, 1))
    if how == 2:  # merged, and cut by lines
        merged = (true + 1) // 2 if random.random() < 0.5 else true  # with the next in the row
        return np.where(merged, merged * 10 + columns // int(random.integers(8, 40)), 0)
    speckles = random.integers(0, true.max() + 1, true.shape)  # specks within cells
    return np.where(random.random(true.shape) < 0.03, speckles, true)
