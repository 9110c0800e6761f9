"""How dense the cells of synthetic images are: confluence along a growing culture.

Confluence, the share of the image that cells cover, is taken to grow logistically (Verhulst): its
logit then grows linearly in time, by log 2 in each doubling time of the sparse culture. A time
drawn evenly around the source's is a logit drawn evenly around the source's.
"""

from math import exp, log

import numpy as np

GOLDEN = (5**0.5 - 1) / 2  # steps of this part of a circle leave no large gap, however many


def levels(
    confluence: float,
    count: int,
    doublings: float,
    limits: tuple[float, float],
    random: np.random.Generator,
) -> list[float]:
    """Confluence of each synthetic image of a source.

    The first few are the same whatever `count`, and any number of them spreads over the whole
    range.

    Parameters
    ----------
    confluence : of the source, 0 to 1
    count : how many
    doublings : the culture is shown up to so many doubling times earlier or later
    limits : least and largest confluence; rigid cells do not pack beyond about 0.7
    random : draws where in the range the first one lies
    """
    low, high = limits
    own = _logit(min(max(confluence, low), high))
    reach = doublings * log(2)
    first, last = max(own - reach, _logit(low)), min(own + reach, _logit(high))
    begin = random.random()
    places = [(begin + number * GOLDEN) % 1 for number in range(count)]
    return [1 / (1 + exp(-(first + place * (last - first)))) for place in places]


def _logit(share: float) -> float:
    return log(share / (1 - share))
