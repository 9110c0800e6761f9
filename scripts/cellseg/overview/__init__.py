"""The overview of a study: what was run, scores, times and memory, provenance, and where it lies."""
