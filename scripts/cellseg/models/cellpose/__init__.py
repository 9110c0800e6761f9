"""Cellpose's own network and loss, of the package cellpose 3.1."""
