#!/usr/bin/env bash
# Packages that ask for others than they run with; see models/deepcell/compat.py.
# Built with the environment's Cython and NumPy. Written by envs/render.py.
set -euo pipefail
pip install --no-deps --no-build-isolation --ignore-requires-python \
  tf-keras==2.21.0 deepcell==0.12.10 deepcell-toolbox==0.12.1 deepcell-tracking==0.6.5
