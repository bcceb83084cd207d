"""The commands, one per module, and what they share."""

import os

# OpenMP reads it when PyTorch loads it, which each command does after this. By default its threads spin while they
# wait for each other: beside a busy core a step of training a small network took 2.6 s on two cores, and 0.5 s so.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
