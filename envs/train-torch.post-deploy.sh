#!/usr/bin/env bash
# Packages that ask for others than they run with; see pyproject.toml.
# Written by envs/render.py.
set -euo pipefail
pip install --no-deps --no-build-isolation --ignore-requires-python \
  cellpose==3.1.1.3
