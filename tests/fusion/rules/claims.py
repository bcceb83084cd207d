"""Claim rules alone on the cases of laws."""

import math

import numpy as np

from panoptic_heuristic.fusion import HeadOutputs, Order
from panoptic_heuristic.fusion.paste import paste


def ranked(case):
    return np.argsort(-case.scene.scores.astype(np.float64), kind="stable").tolist()


def claimed(rule, case, instances=None):
    order, scores = ranked(case), case.scene.scores.tolist()
    # Instances of another size are alone.
    heads = case.heads() if instances is None else HeadOutputs(instances, None, case.scene.categories)
    return rule.claim(heads, Order(tuple(order), tuple(scores[index] for index in order), {}))


def owners_of(claim):
    """The map with places in the input + 1."""
    places = np.array([0] + [index + 1 for index in claim.areas])
    owners = places[claim.panoptic_seg.numpy()]
    for index, area in claim.areas.items():
        assert (owners == index + 1).sum() == area > 0
    return owners


def assert_claimed(claim, owners, dropped):
    np.testing.assert_array_equal(owners_of(claim), owners)
    assert claim.dropped == dropped


def soft_layers(case):
    """(N, H, W) float64 pasted probabilities, and (N, H, W) bool: the boxes rounded outwards."""
    scene, (height, width) = case.scene, case.scene.image_size
    soft, inside = np.zeros((len(scene.scores), height, width)), np.zeros(scene.masks.shape, dtype=bool)
    instances = case.instances()
    for index, box in enumerate(instances.boxes):
        x0, y0, values = paste(instances.probabilities[index], box, height, width)
        soft[index, y0 : y0 + values.shape[0], x0 : x0 + values.shape[1]] = values.double().numpy()
        left, top, right, bottom = box.tolist()
        rows = slice(max(math.floor(top), 0), max(math.ceil(bottom), 0))
        inside[index, rows, max(math.floor(left), 0) : max(math.ceil(right), 0)] = True
    return soft, inside
