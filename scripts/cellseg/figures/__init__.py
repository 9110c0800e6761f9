"""Figures: functions from tables to a Matplotlib figure, one module each, in one style.

:mod:`cellseg.figures.registry` finds them by name. It is a separate module so that a script
which draws one figure does not depend on the others.
"""
