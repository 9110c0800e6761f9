"""Random changes of grey values: each by itself, within its range, repeatable."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage, stats

from cellseg.training.augmentation import Augmentation
from cellseg.training.batches import TilePool, TileStream
from cellseg.training.intensity import Intensity
from recording_learner import digest

SEEDS = range(200)


def ramp():
    """Grey values from 64 to 191, each as often, whose mean is 127.5."""
    return (64 + np.arange(128 * 128) % 128).reshape(128, 128).astype(np.float32)


def changed(image=None, seed=0, **settings):
    image = ramp() if image is None else image
    return Intensity(**settings).apply(image, np.random.default_rng(seed))


def test_nothing_is_changed_by_default():
    image = ramp()
    assert Intensity().apply(image, np.random.default_rng(0)) is image
    # A setting that is on draws all, and leaves out what is off.
    np.testing.assert_allclose(changed(brightness=1e-9), image, atol=1e-4)


def test_brightness_shifts_all_alike_either_way():
    shifts = []
    for seed in SEEDS:
        difference = changed(seed=seed, brightness=0.1) - ramp()
        assert np.ptp(difference) < 1e-3
        shifts.append(difference.mean())
    assert -25.5 <= min(shifts) < -24 and 24 < max(shifts) <= 25.5
    assert abs(np.mean(shifts)) < 3


def test_contrast_is_about_the_mean_as_often_more_as_less():
    factors = []
    for seed in SEEDS:
        found = changed(seed=seed, contrast=1.5)
        assert found.mean() == pytest.approx(127.5, abs=0.01)
        slope, *_ = stats.linregress(ramp().ravel(), found.ravel())
        factors.append(slope)
    assert 1 / 1.5 <= min(factors) < 0.69 and 1.45 < max(factors) <= 1.5001
    assert abs(np.mean(np.log(factors))) < 0.05


def test_gamma_is_a_power_of_grey_values_from_black_to_white():
    exponents = []
    for seed in SEEDS:
        found = changed(seed=seed, gamma=2).astype(float)
        logarithms = np.log(found / 255) / np.log(ramp() / 255)
        assert np.ptp(logarithms) < 1e-3
        exponents.append(logarithms.mean())
    assert 0.5 <= min(exponents) < 0.53 and 1.9 < max(exponents) < 2.001
    ends = np.array([[0, 255]], np.float32).repeat(4, axis=0)
    np.testing.assert_allclose(changed(ends, gamma=2), ends, atol=1e-3)


def test_blur_is_a_gaussian_of_that_deviation_at_most():
    point = np.zeros((65, 65), np.float32)
    point[32, 32] = 255
    places = np.arange(65) - 32
    deviations = [
        np.sqrt((changed(point, seed, blur=2).sum(axis=0) * places**2).sum() / 255)
        for seed in SEEDS
    ]
    assert min(deviations) < 0.2 and 1.9 < max(deviations) <= 2.01
    noise = np.random.default_rng(0).uniform(0, 255, (64, 64)).astype(np.float32)
    found, deviation = changed(noise, 3, blur=2), deviations[3]
    expected = ndimage.gaussian_filter(noise, deviation, mode="mirror", radius=10)
    assert deviation > 0.5
    np.testing.assert_allclose(found[12:-12, 12:-12], expected[12:-12, 12:-12], atol=1)


def test_noise_is_nearly_normal_and_of_each_pixel_by_itself():
    flat = np.full((256, 256), 128, np.float32)
    deviations = [(changed(flat, seed, noise=0.05) - 128).std() for seed in range(60)]
    assert min(deviations) < 1 and 12 < max(deviations) < 12.8
    one, other = (changed(flat, seed, noise=0.05) - 128 for seed in np.argsort(deviations)[-2:])
    assert abs(one.mean()) < 0.2 and abs(stats.skew(one.ravel())) < 0.05
    assert abs(stats.kurtosis(one.ravel())) < 0.4
    neighbours = [(one[:, :-1], one[:, 1:]), (one[:-1], one[1:]), (one[:-1, 1:], one[1:, :-1]),
                  (one, other), (one[:, :128], one[:, 128:]), (one[:128], one[128:])]  # fmt: skip
    for first, second in neighbours:
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03
    spectrum = np.abs(np.fft.fft2(one)) ** 2  # a pattern would stand out; of noise it is about 11
    assert spectrum.max() / spectrum.mean() < 20


def test_black_and_white_are_the_ends():
    image = np.array([[0, 255]] * 40, np.float32)
    found = [changed(image, seed, brightness=0.5, contrast=2, noise=0.3) for seed in SEEDS]
    assert np.min(found) == 0 and np.max(found) == 255
    assert all(values.dtype == np.float32 and values.shape == image.shape for values in found)


def test_one_setting_changes_nothing_in_what_is_drawn_for_the_others():
    for seed in range(5):
        alone = changed(seed=seed, brightness=0.05) - ramp()
        both = changed(seed=seed, brightness=0.05, contrast=1.1)
        assert both.mean() - 127.5 == pytest.approx(alone.mean(), abs=0.01)


def stream(intensity, **changes):
    random = np.random.default_rng(0)
    labels = np.zeros((6, 32, 32, 1), np.int32)
    labels[:, 4:20, 6:24] = 1
    images = random.integers(60, 200, labels.shape).astype(np.uint8)
    pool = TilePool([SimpleNamespace(X=images, y=labels, image=np.array(["a"] * 6))])
    options = {"tiles": pool, "index": np.arange(6), "heads": {"fgbg": {}}, "batch_size": 4,
               "normalization": "none", "seed": 3,
               "augmentation": Augmentation(intensity=intensity)}  # fmt: skip
    return TileStream(**{**options, **changes})


ALL = Intensity(brightness=0.1, contrast=1.2, gamma=1.3, blur=1, noise=0.05)


def test_a_stream_changes_its_images_by_sample_whatever_the_workers():
    digests = [tuple(map(digest, stream(ALL, workers=number).epoch(2))) for number in (1, 3)]
    assert digests[0] == digests[1]
    assert digests[0] != tuple(map(digest, stream(ALL).epoch(3)))
    whole = [digest(batch) for batch in stream(ALL).epoch(2)]
    assert [digest(batch) for batch in stream(ALL).epoch(2, first=1)] == whole[1:]


def test_grey_values_alone_are_changed():
    """Warps and targets are those of a stream without; so are the images of validation."""
    for (x, y), (plain, targets) in zip(
        stream(ALL).epoch(0), stream(Intensity()).epoch(0), strict=True
    ):
        np.testing.assert_array_equal(y["fgbg"], targets["fgbg"])
        assert np.abs(x - plain).mean() > 1
        assert x.min() >= 0 and x.max() <= 255
