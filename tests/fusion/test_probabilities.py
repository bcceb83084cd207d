"""Probabilities and the largest of semantic channels."""

import numpy as np
import pytest
import torch

from panoptic_heuristic.fusion.probabilities import at_pixels, largest, probabilities


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_probabilities_are_the_softmax_in_float64(dtype):
    logits = (8 * torch.randn(54, 13, 17, generator=torch.Generator().manual_seed(0))).to(dtype)
    expected = logits.double().softmax(dim=0)
    for channel in (0, 7, 53):
        found = probabilities(logits, logits[channel])
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, expected[channel], rtol=1e-13, atol=0)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 7, 49])
@pytest.mark.parametrize("value", [0.0, -87.3, 1e4])
def test_equal_logits_share_the_probability_exactly(count, value):
    logits = torch.full((count, 1), value)
    assert probabilities(logits, logits[0]).tolist() == [1 / count]


def test_large_logits_do_not_overflow():
    logits = torch.tensor([[1e30], [-1e30], [-np.inf]])
    assert [probabilities(logits, one).item() for one in logits] == [1, 0, 0]


@pytest.mark.parametrize("channel_count", [2, 7, 54])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_probability_does_not_depend_on_the_pixels_around(channel_count, dtype):
    generator = torch.Generator().manual_seed(channel_count)
    logits = torch.randn(channel_count, 37, 41, generator=generator).to(dtype)
    whole = probabilities(logits, logits[1])
    for fraction in (0.001, 0.1, 0.5, 0.99):
        where = torch.rand(37, 41, generator=generator) < fraction
        some = at_pixels(logits, where)
        assert torch.equal(probabilities(some, some[1]), whole[where])
    turned = logits.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert torch.equal(probabilities(turned, turned[1]), whole)


def test_the_largest_of_some_channels():
    logits = torch.tensor([[9.0, 9, 9, 9], [1, 2, 3, -np.inf], [9, 9, 9, 9], [1, 1, 4, -np.inf], [0, 2, 4, -np.inf]])
    values, channels = largest(logits, [1, 3, 4])
    # Of equal ones the first.
    assert values.tolist() == [1, 2, 4, -np.inf]
    assert channels.tolist() == [1, 1, 3, 1]
    assert [one.tolist() for one in largest(logits, [3])] == [logits[3].tolist(), [3] * 4]


def test_some_pixels_in_row_order():
    logits = torch.arange(12).view(2, 2, 3)
    where = torch.tensor([[False, True, False], [True, False, True]])
    assert at_pixels(logits, where).tolist() == [[1, 3, 5], [7, 9, 11]]
    assert at_pixels(logits, torch.zeros_like(where)).shape == (2, 0)
