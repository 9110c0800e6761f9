"""Learning rate by step. One schedule a run, so that none undoes another."""

import math
from collections.abc import Mapping

MILESTONES = (2 / 3, 8 / 9)
"""Shares of all steps at which schedule ``steps`` lowers the rate, unless it says which."""


def learning_rate(schedule: Mapping, base: float, step: int, steps: int, epoch: int) -> float:
    """Learning rate of a step, for the schedules that depend on time alone.

    Parameters
    ----------
    schedule : settings with ``name`` (constant, exponential, cosine, plateau, steps)
        exponential multiplies by ``decay`` each epoch (Mesmer: 0.99); cosine rises over the first
        ``warmup`` fraction of all steps and falls to zero; plateau is lowered by
        :func:`plateau_factor`; steps rises over the first ``warmup`` fraction from a thousandth
        and is multiplied by ``factor`` at each of ``milestones``, fractions of all steps.
    base : the configured learning rate
    step, steps : number of this step, counted over all epochs, and of all steps
    epoch : number of this epoch, from 0
    """
    if schedule["name"] == "exponential":
        return base * schedule["decay"] ** epoch
    if schedule["name"] == "cosine":
        warmup = max(1, round(schedule["warmup"] * steps))
        if step < warmup:
            return base * (step + 1) / warmup
        return base * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
    if schedule["name"] == "steps":
        passed = sum(
            step >= round(share * steps) for share in schedule.get("milestones", MILESTONES)
        )
        warmup = round(schedule["warmup"] * steps)
        rise = 0.001 + 0.999 * step / warmup if step < warmup else 1.0
        return base * rise * schedule["factor"] ** passed
    return base


def plateau_factor(schedule: Mapping, validation_losses: list[float]) -> float:
    """What the learning rate is multiplied by after the given epochs of the plateau schedule.

    Each time the best loss is ``patience`` epochs old, the rate falls by ``factor`` and the
    count starts again (Keras' ReduceLROnPlateau without cooldown).
    """
    if schedule["name"] != "plateau":
        return 1.0
    factor, best, waited = 1.0, math.inf, 0
    for loss in validation_losses:
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        if waited >= schedule["patience"]:
            factor, waited = factor * schedule["factor"], 0
    return factor
