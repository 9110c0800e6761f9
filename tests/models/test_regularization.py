"""L2 regularisation and weight decay: the first steps are those of Keras' own."""

import numpy as np
import pytest

import small_training
from cellseg.targets.heads import HEADS

RATE, STEPS = 1e-3, 2
SIZE = 32


@pytest.fixture(scope="module", params=small_training.OF_ANY_HEADS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def family(name):
    return small_training.load(name)


@pytest.fixture(scope="module", autouse=True)
def eagerly(family):
    with small_training.without_tracing():
        yield


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Where the weights are that all learners of a family start from."""
    return tmp_path_factory.mktemp("start")


@pytest.fixture(scope="module")
def plain(family, name, start, eagerly):
    """Kernels after some steps without any."""
    return expected(family, name, start)


def batches():
    random = np.random.default_rng(0)
    for _ in range(STEPS):
        images = random.normal(size=(2, SIZE, SIZE, 1)).astype(np.float32)
        inner = random.uniform(0, 1, images.shape).astype(np.float32)
        classes = np.eye(3, dtype=np.float32)[random.integers(0, 3, images.shape[:3])]
        yield images, {"inner-distance": inner, "pixelwise": classes}


def learner(family, name, folder, **options):
    settings = small_training.settings(1, family=name)
    settings["training"] |= {"learning_rate": RATE, "clipnorm": 0.5, **options}
    made = getattr(family, small_training.LEARNERS[name])(settings, SIZE, folder)
    path = folder / f"{name}.h5"
    if path.exists():
        made.load_weights(path)
    else:
        made.save_weights(path)
    return made


def kernels(learner) -> list:
    """Kernels of the layers, found by their layers."""
    layers = [*learner.model.layers]
    for layer in learner.model.layers:
        layers += layer.leaves() if hasattr(layer, "leaves") else []
    found = [getattr(layer, "kernel", None) for layer in layers]
    return [kernel for kernel in found if kernel is not None]


def values(variables) -> list[np.ndarray]:
    return [np.array(variable.numpy()) for variable in variables]


def keras_of(name):
    if name == "deepcell":
        import tf_keras

        return tf_keras
    import keras

    return keras


def expected(family, name, folder, regularizer=None, decay=None) -> list[np.ndarray]:
    """Kernels after some steps with Keras' optimiser, and Keras' regulariser in the loss."""
    import tensorflow as tf

    keras = keras_of(name)
    one = learner(family, name, folder)
    variables = one.model.trainable_variables
    optimizer = keras.optimizers.Adam(learning_rate=RATE, clipnorm=0.5)
    if decay:
        optimizer = keras.optimizers.AdamW(learning_rate=RATE, clipnorm=0.5, weight_decay=decay)
        known = {id(kernel) for kernel in kernels(one)}
        optimizer.exclude_from_weight_decay([v for v in variables if id(v) not in known])
    optimizer.build(variables)
    for images, targets in batches():
        with tf.GradientTape() as tape:
            outputs = one.model(images, training=True)
            if not isinstance(outputs, dict):
                outputs = dict(zip(one.heads, outputs, strict=True))
            total = sum(loss_of(name, head, targets[head], outputs[head]) for head in one.heads)
            if regularizer is not None:
                total += sum(regularizer(tf.convert_to_tensor(k)) for k in kernels(one))
        watched = [getattr(variable, "value", variable) for variable in variables]
        watched = variables if name == "deepcell" else watched
        zero = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(total, watched, unconnected_gradients=zero)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
    return values(kernels(one))


def loss_of(name, head, truth, prediction):
    if name == "deepcell":
        from tf_keras.losses import mean_squared_error

        from cellseg.models.deepcell.family import _loss

        loss = _loss(head, 0.01)
        loss = mean_squared_error if loss == "mse" else loss
        import tensorflow as tf

        return tf.reduce_mean(loss(truth, prediction))
    from cellseg.models.keras3 import losses

    return losses.of_head(HEADS[head], 0.01)(truth, prediction)


def found(family, name, folder, **options) -> tuple[list[np.ndarray], list[dict]]:
    one = learner(family, name, folder, **options)
    rows = [one.train_batch(batch, RATE) for batch in batches()]
    return values(kernels(one)), rows


def assert_alike(found, wanted, plain):
    """Far closer to one than to the other; Adam's steps are of the rate's size."""
    assert len(found) > 10
    far = [np.abs(one - two).mean() for one, two in zip(found, plain, strict=True)]
    near = [np.abs(one - two).mean() for one, two in zip(found, wanted, strict=True)]
    assert np.mean(near) < 0.02 * RATE
    assert np.mean(far) > 10 * np.mean(near), (far, near)


def test_l2_is_that_of_kernel_regularizer(family, name, start, plain):
    regularizer = keras_of(name).regularizers.L2(0.02)
    wanted = expected(family, name, start, regularizer)
    weights, rows = found(family, name, start, l2=0.02)
    assert_alike(weights, wanted, plain)
    again, without = found(family, name, start)
    assert np.mean([np.abs(a - b).mean() for a, b in zip(again, plain, strict=True)]) < 0.02 * RATE
    assert rows[0]["loss"] == pytest.approx(without[0]["loss"], rel=1e-5)  # no penalty in it


def test_weight_decay_is_that_of_adamw(family, name, start, plain):
    wanted = expected(family, name, start, decay=2.0)
    weights, _ = found(family, name, start, weight_decay=2.0)
    assert_alike(weights, wanted, plain)


def test_biases_and_batch_norms_keep_out_of_it(family, name, start):
    """A step of gradients of zero moves Adam nowhere: what is left is the regularisation."""
    import tensorflow as tf

    one = learner(family, name, start, weight_decay=5.0)
    before = values(one.model.trainable_variables)
    optimizer = one.optimizer
    zeros = [tf.zeros(value.shape) for value in before]
    optimizer.apply_gradients(zip(zeros, one.model.trainable_variables, strict=True))
    known = {id(kernel) for kernel in kernels(one)}
    for variable, value in zip(one.model.trainable_variables, before, strict=True):
        share = 1 - 5 * RATE if id(variable) in known else 1
        np.testing.assert_allclose(variable.numpy(), share * value, rtol=1e-5, atol=1e-7)
