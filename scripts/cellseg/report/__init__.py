"""The overview of a study: what was run, scores, times, memory, provenance."""
