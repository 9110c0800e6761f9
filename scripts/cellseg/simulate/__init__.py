"""A deterministic phase-contrast simulator that writes data sets in LIVECell's layout.

The chain is table of cell types (:mod:`.cell_types`), shape of one cell (:mod:`.shapes`), where
cells sit (:mod:`.layout`), cells meeting in a frame (:mod:`.sheet`), what a microscope makes of
them (:mod:`.thickness`, :mod:`.optics`), one frame (:mod:`.frame`), which views of a plate a data
set shows (:mod:`.views`), files (:mod:`.writing`).
"""
