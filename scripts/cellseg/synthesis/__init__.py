"""Synthetic images for training: cells cut from a real image, and put down elsewhere on it.

Every synthetic image is made of one real image, its source, and of nothing else: a background from
which all cells are taken away, and cells of the source, in clumps as they grew, at new places,
turned by right angles and mirrored, at the density of a culture some time earlier or later. So a
synthetic image may be trained on wherever its source may.

The idea of cutting objects out and pasting them is that of Dwibedi, Misra and Hebert (Cut, Paste
and Learn, ICCV 2017) and Ghiasi et al. (Simple Copy-Paste, CVPR 2021); that of varying place and
density of LIVECell's cells to mimic the confluence of a growing culture, extending the data five
times, is of Kim, Song and Zheng (Deep Learning for Cell Segmentation, Stanford CS231n). What is
ours: clumps instead of single cells, backgrounds whose noise is drawn with the covariance of the
source's own, blending that keeps the noise's variance, and no interpolation anywhere.

:mod:`~cellseg.synthesis.levels` how dense; :mod:`~cellseg.synthesis.background` without cells;
:mod:`~cellseg.synthesis.clumps` what stays together; :mod:`~cellseg.synthesis.sprites` what is cut
out; :mod:`~cellseg.synthesis.orientation` mirrored and turned; :mod:`~cellseg.synthesis.layout`
where it goes; :mod:`~cellseg.synthesis.frame` one image; :mod:`~cellseg.synthesis.writing` a data
set; :mod:`~cellseg.report.synthesis_report` how it compares with the real images.
"""
