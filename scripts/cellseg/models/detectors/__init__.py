"""Detectors: networks on torch that find each cell by itself, as a box and a mask."""
