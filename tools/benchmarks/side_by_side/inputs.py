"""Seeded outputs of both heads, the same for both sides of a benchmark."""

import argparse
import hashlib
from pathlib import Path
from typing import Dict, Mapping, NamedTuple, Sequence, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from panoptic_heuristic.testing.scenes import make_scene

CHANNELS, THINGS, STRIDE, DIVISIBILITY = 54, 80, 4, 32


class Inputs(NamedTuple):
    """The outputs of both heads for one image, as tensors.

    Attributes:
        output_size: (H, W).
        network_size: (h, w), without padding.
        probabilities: (N, 28, 28) float32.
        boxes: (N, 4) float32 at output size.
        scores: (N,) float32.
        classes: (N,) int64, contiguous.
        labels: (H, W) int64, 0 is things.
        logits: (54, ., .) float32 at stride 4 of the network's padded input.
    """

    output_size: Tuple[int, int]
    network_size: Tuple[int, int]
    probabilities: Tensor
    boxes: Tensor
    scores: Tensor
    classes: Tensor
    labels: Tensor
    logits: Tensor


def make_inputs(seed: int, size: Tuple[int, int], count: int) -> Dict[str, np.ndarray]:
    """The fields of :class:`Inputs` as arrays."""
    scene = make_scene(seed, image_size=size, instances=count, things=THINGS, stuff=CHANNELS - 1)
    # As Detectron2 resizes: the short side to 800 pixels, unless the long one exceeds 1333 then.
    scale = min(800 / min(size), 1333 / max(size))
    network_size = tuple(round(side * scale) for side in size)
    return {
        "output_size": np.array(size),
        "network_size": np.array(network_size),
        "probabilities": scene.probabilities,
        "boxes": scene.boxes,
        "scores": scene.scores,
        "classes": scene.category_ids // 2,  # things have even ids from 0 there
        "labels": scene.semantic_labels,
        "logits": smooth_logits(seed, scene.semantic_labels, network_size),
    }


def smooth_logits(
    seed: int, labels: np.ndarray, network_size: Tuple[int, int], channels: int = CHANNELS
) -> np.ndarray:
    """Logits at stride 4 that mostly win where labels are: blurred, with noise in every channel."""
    padded = [-(-side // DIVISIBILITY) * DIVISIBILITY // STRIDE for side in network_size]
    inside = [-(-side // STRIDE) for side in network_size]
    small = cv2.resize(labels.astype(np.uint8), inside[::-1], interpolation=cv2.INTER_NEAREST)
    small = np.pad(small, [(0, whole - part) for whole, part in zip(padded, inside, strict=True)], mode="edge")
    rng = np.random.default_rng([seed, 2])
    logits = 0.5 * rng.standard_normal((channels, *padded), dtype=np.float32)
    for channel, plane in enumerate(logits):
        plane += 8 * (small == channel).astype(np.float32)
        plane[:] = cv2.GaussianBlur(plane, (0, 0), 1.0)
    return logits


def as_inputs(arrays: Mapping[str, np.ndarray], device: str = "cpu") -> Inputs:
    """Makes tensors on a device of what :func:`make_inputs` gives."""
    sizes = {name: tuple(arrays[name].tolist()) for name in ("output_size", "network_size")}
    return Inputs(**{name: sizes.get(name) or torch.from_numpy(arrays[name]).to(device) for name in Inputs._fields})


def write_inputs(folder: Path, args: argparse.Namespace) -> str:
    """Writes the inputs of every case to a folder; gives the SHA-256 of them all."""
    digest = hashlib.sha256()
    cases = [(size, count) for size in args.sizes for count in args.instances]
    for (height, width), count in tqdm(cases, desc="generate", unit="image", disable=None):
        arrays = make_inputs(args.seed, (height, width), count)
        for name, array in arrays.items():
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array))
        np.savez(folder / f"{height}x{width}x{count}.npz", **arrays)
    return digest.hexdigest()


def read_inputs(folder: str, size: Sequence[int], count: int, device: str) -> Inputs:
    """Reads the inputs of one case."""
    with np.load(f"{folder}/{size[0]}x{size[1]}x{count}.npz") as arrays:
        return as_inputs(arrays, device)
