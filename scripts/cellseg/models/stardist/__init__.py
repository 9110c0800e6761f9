"""StarDist's own network and losses, of the package stardist."""
