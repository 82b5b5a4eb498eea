# SPDX-License-Identifier: MIT
"""The parts of scripts/compute_dft.py."""
