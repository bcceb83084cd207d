import numpy as np
import pytest
import torch

from panoptic_heuristic.ablation.best_stuff import best_stuff
from panoptic_heuristic.ablation.predictions import NO_STUFF


def logits_of(*probabilities):
    """(C, 1, W) logits with these probabilities, a list per channel."""
    return torch.tensor(probabilities, dtype=torch.float64).log()[:, None]


def test_things_count_in_the_probability_and_never_win():
    # Channel 0 is things: it is the label of the first two pixels.
    logits = logits_of([0.7, 0.8, 0.1], [0.2, 0.1, 0.3], [0.1, 0.1, 0.6])
    channels, above = best_stuff(logits, [1, 2], 0.15)
    # Of the equal ones the first.
    assert channels.tolist() == [[1, 1, 2]]
    assert above.tolist() == [[True, False, True]]


@pytest.mark.parametrize("floor, above", [(0.5 - 1e-9, True), (0.5, True), (0.5 + 1e-9, False)])
def test_the_floor_itself_is_above_it(floor, above):
    # In float32 too: the floor is compared in float64, so that a billionth counts.
    assert best_stuff(torch.zeros(2, 1, 1), [1], floor)[1].tolist() == [[above]]


def test_it_is_the_label_where_the_label_is_stuff():
    logits = torch.randint(-3, 3, (6, 20, 30), generator=torch.Generator().manual_seed(0)).float()
    labels, stuff = logits.argmax(dim=0).numpy(), [1, 2, 5]
    channels, _ = best_stuff(logits, stuff, 0.25)
    is_stuff = np.isin(labels, stuff)
    assert is_stuff.any() and not is_stuff.all()
    assert (channels[is_stuff] == labels[is_stuff]).all()
    assert np.isin(channels, stuff).all()


def test_probabilities_are_those_of_the_softmax():
    logits = torch.randn(6, 20, 30, generator=torch.Generator().manual_seed(1))
    channels, above = best_stuff(logits, [0, 3], 0.25)
    probabilities = np.take_along_axis(logits.softmax(dim=0).numpy(), channels[None], axis=0)[0]
    clear = abs(probabilities - 0.25) > 1e-6
    assert (above == (probabilities >= 0.25))[clear].all()
    assert 0 < above.mean() < 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_floating_point(dtype):
    channels, above = best_stuff(torch.tensor([[[3, 0]], [[0, 1]], [[1, 2]]], dtype=dtype), [1, 2], 0.5)
    assert channels.tolist() == [[2, 2]] and above.tolist() == [[False, True]]


def test_without_stuff_or_floor_nothing_is_above_it():
    channels, above = best_stuff(torch.zeros(2, 3, 4), [], 0.0)
    assert (channels == NO_STUFF).all() and not above.any() and channels.shape == above.shape == (3, 4)
    channels, above = best_stuff(torch.zeros(2, 3, 4), [1], None)
    assert (channels == 1).all() and not above.any()


def test_minus_infinity_is_a_logit():
    logits = torch.tensor([[[0.0]], [[-np.inf]], [[-np.inf]]])
    channels, above = best_stuff(logits, [1, 2], 0.0)
    assert channels.tolist() == [[1]] and above.tolist() == [[True]]
