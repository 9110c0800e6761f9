"""Tables for reading: what stands in them, the same as HTML and as LaTeX."""
