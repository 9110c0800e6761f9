"""Tables for reading: their content, and how it is written as HTML and LaTeX."""
