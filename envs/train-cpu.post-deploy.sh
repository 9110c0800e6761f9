#!/usr/bin/env bash
# deepcell declares TensorFlow 2.8 and Python < 3.11 but runs on today's: see
# scripts/cellseg/deepcell_compat.py. Written by envs/render.py.
set -euo pipefail
constraints=$(mktemp)
printf '%s\n' cython==0.29.37 numpy==2.4.6 setuptools==80.9.0 wheel==0.45.1 > $constraints
# What the isolated build may use; newer versions of pip read the first name.
export PIP_BUILD_CONSTRAINT=$constraints PIP_CONSTRAINT=$constraints
pip install --no-deps --ignore-requires-python \
  deepcell==0.12.10 deepcell-toolbox==0.12.1 deepcell-tracking==0.6.5
