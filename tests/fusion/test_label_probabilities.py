"""Probabilities that are only compared: estimates decide as the probabilities would."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion import SemanticMap
from panoptic_heuristic.fusion.label_probabilities import labels_at_least, mean_probabilities
from panoptic_heuristic.fusion.probabilities import at_least, estimate_error, estimates, probabilities

WHO = "a test"


pytestmark = pytest.mark.usefixtures("kernels")


def everywhere(channel, logits):
    return torch.full(logits.shape[1:], channel, dtype=torch.uint8)


def drawn_logits(seed, channels=9, dtype=np.float32):
    return (np.random.default_rng(seed).normal(size=(channels, 31, 47)) * 4).astype(dtype)


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 9, 134])
def test_estimates_are_nearer_than_their_error(scale, dtype, channels):
    logits = torch.from_numpy(drawn_logits(channels, channels)).to(dtype) * scale
    for channel in range(0, channels, max(channels // 3, 1)):
        found = estimates(logits, everywhere(channel, logits))
        exact = probabilities(logits, logits[channel])
        assert float((found.double() - exact).abs().max()) < estimate_error(channels) / 2


@pytest.mark.parametrize("shape", [(3, 0), (3, 1), (300, 7), (2, 4, 5)])
def test_any_shape_has_estimates_and_so_have_pixels_that_lie_apart(shape):
    logits = torch.from_numpy(np.random.default_rng(5).normal(size=(*shape, 2)).astype(np.float32))[..., 0]
    chosen = torch.from_numpy(np.random.default_rng(6).integers(0, min(shape[0], 256), size=(*shape[1:], 2)))[..., 1]
    for channels in (chosen, chosen.byte()):
        exact = probabilities(logits, logits.gather(0, chosen[None])[0])
        assert estimates(logits, channels).shape == exact.shape
        assert torch.allclose(estimates(logits, channels).double(), exact, rtol=0, atol=estimate_error(shape[0]))


def test_floors_that_pixels_meet_exactly_are_met():
    logits = torch.from_numpy(drawn_logits(1))
    exact = probabilities(logits, logits[2])
    for floor in (*exact.flatten()[::97].tolist(), 0.0, 1.0):
        for near in (np.nextafter(floor, -1), floor, np.nextafter(floor, 2)):
            assert torch.equal(at_least(logits, everywhere(2, logits), float(near)), exact >= float(near))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_compares_as_its_probability(value):
    logits = torch.from_numpy(drawn_logits(2))
    logits[:, 3, 4:9] = value
    logits[1, 5, 5] = value
    for floor in (0.0, 0.2, 1.0):
        found = at_least(logits, everywhere(1, logits), floor)
        assert torch.equal(found, probabilities(logits, logits[1]) >= floor)


def test_labels_are_compared_where_they_are_asked_for():
    logits = drawn_logits(3)
    # A third of the labels are not the argmax.
    labels = np.where(np.random.default_rng(3).random(logits.shape[1:]) < 1 / 3, 4, logits.argmax(axis=0))
    semantics = SemanticMap(labels, list(range(9)), logits)
    where = torch.from_numpy(labels % 2 == 0)
    exact = semantics.label_probabilities(where, WHO)
    for floor in (0.1, 0.5, float(exact[7])):
        found = labels_at_least(semantics, where, floor, WHO)
        assert torch.equal(found.masked_select(where), exact >= floor) and not (found & ~where).any()


def test_means_compare_as_the_exact_ones():
    logits = drawn_logits(4)
    labels = logits.argmax(axis=0)
    semantics = SemanticMap(labels, list(range(9)), logits)
    labels_of = {0: [0, 3], 1: [1], 2: [8]}
    exact = {
        key: float(np.mean(semantics.label_probabilities(torch.from_numpy(np.isin(labels, of)), WHO).numpy()))
        for key, of in labels_of.items()
    }
    found = mean_probabilities(semantics, labels_of, WHO, compared_with=[0.5])
    assert found == pytest.approx(exact, abs=estimate_error(9)) and list(found) == list(labels_of)
    # Too near to tell by an estimate: this one is exact.
    for number in (exact[1], np.nextafter(exact[1], 0)):
        assert mean_probabilities(semantics, labels_of, WHO, compared_with=[number])[1] == pytest.approx(
            exact[1], abs=1e-15
        )
