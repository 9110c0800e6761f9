"""Short names of the documents whose figures are published next to ours.

Imports nothing: the workflow asks for it while it reads its rules.
"""

PAPERS = {
    "livecell": "LIVECell official release (Edlund et al. 2021)",
    "report": "Yi, Da and Bai 2022 (report)",
    "poster": "Kim, Song and Zheng (poster)",
    "thesis": "Cui 2020 (Caltech thesis)",
    "kaggle": "Wang (Kaggle Sartorius)",
    "others": "collected in livecell.md",
}
"""From the short name of a document, as in file names, to its ``source`` in the table."""
