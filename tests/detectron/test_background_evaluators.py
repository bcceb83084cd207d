"""Scoring goes on beside the network: the order of events shows it, with evaluators that wait for what comes later."""

import logging
import re
import threading

import pytest
import torch
from detectron2.evaluation import DatasetEvaluator, inference_on_dataset

from panoptic_heuristic.detectron.background_evaluators import BackgroundEvaluators
from panoptic_heuristic.errors import InputError

# So long only a test that fails waits.
LONG = 30
BATCHES = 6


class Network(torch.nn.Module):
    """Gives each batch back, and says when it gets it."""

    def __init__(self):
        super().__init__()
        self.begun = [threading.Event() for _ in range(BATCHES)]

    def forward(self, batch):
        self.begun[batch[0]].set()
        return [number * 10 for number in batch]


class Slow(DatasetEvaluator):
    """Scores a batch no sooner than the network has the next."""

    def __init__(self, network):
        self.network, self.processed = network, []

    def reset(self):
        self.processed = []

    def process(self, inputs, outputs):
        following = self.network.begun[min(inputs[0] + 1, BATCHES - 1)]
        assert following.wait(LONG), "the network waits for scoring"
        self.processed.append((inputs[0], outputs[0], threading.current_thread()))

    def evaluate(self):
        return {"all": [one[:2] for one in self.processed]}


class Failing(DatasetEvaluator):
    def __init__(self, at):
        self.at, self.seen = at, []

    def process(self, inputs, outputs):
        self.seen.append(inputs[0])
        if inputs[0] == self.at:
            raise InputError("gt.png is not a PNG")

    def evaluate(self):
        raise AssertionError("what was not scored is evaluated")


def batches():
    return [[number] for number in range(BATCHES)]


def test_the_network_goes_on_while_a_batch_is_scored():
    network = Network()
    slow = Slow(network)
    results = inference_on_dataset(network, batches(), BackgroundEvaluators([slow]))
    # Each batch once and in order, and none is missing when it is evaluated.
    assert results == {"all": [(number, 10 * number) for number in range(BATCHES)]}
    assert threading.current_thread() not in {thread for *_, thread in slow.processed}


def test_at_most_two_batches_wait_for_a_scorer_that_is_slower_than_the_network():
    handed_over, scored = [], []
    most = []

    class Counting(DatasetEvaluator):
        def process(self, inputs, outputs):
            most.append(len(handed_over) - len(scored))
            scored.append(inputs[0])

    class Handing(Network):
        def forward(self, batch):
            handed_over.append(batch[0])
            return batch

    inference_on_dataset(Handing(), batches(), BackgroundEvaluators([Counting()]))
    # Two that wait or are scored, and the one that the network has.
    assert max(most) <= 3 and scored == list(range(BATCHES))


@pytest.mark.parametrize("at", [0, 2, BATCHES - 1])
def test_an_error_ends_the_evaluation_with_its_sentence(at):
    failing = Failing(at)
    with pytest.raises(InputError, match="^gt.png is not a PNG$"):
        inference_on_dataset(Network(), batches(), BackgroundEvaluators([failing]))
    assert failing.seen == list(range(at + 1))


def test_a_second_evaluation_starts_anew():
    evaluator = BackgroundEvaluators([Slow(Network())])
    for _ in range(2):
        evaluator._evaluators[0].network = network = Network()
        assert len(inference_on_dataset(network, batches(), evaluator)["all"]) == BATCHES


def test_one_line_says_where_the_time_went(caplog):
    network = Network()
    evaluator = BackgroundEvaluators([Slow(network)])
    with caplog.at_level(logging.INFO, "panoptic_heuristic"), evaluator.watching(network):
        inference_on_dataset(network, batches(), evaluator)
    [line] = [one.getMessage() for one in caplog.records if one.name.startswith("panoptic_heuristic")]
    assert re.fullmatch(
        r"6 batches: \d+\.\d s in the network, \d+\.\d s waiting for data, \d+\.\d s waiting for scoring, which took "
        r"\d+\.\d s beside the network",
        line,
    )
    assert not network._forward_pre_hooks


def test_what_was_not_begun_is_given_up_when_the_evaluation_is_interrupted():
    begun, gate, scored = threading.Event(), threading.Event(), []

    class Waiting(DatasetEvaluator):
        def process(self, inputs, outputs):
            begun.set()
            assert gate.wait(LONG)
            scored.append(inputs[0])

    network = Network()
    evaluator = BackgroundEvaluators([Waiting()])
    with pytest.raises(KeyboardInterrupt), evaluator.watching(network):
        evaluator.reset()
        for batch in batches()[:2]:
            evaluator.process(batch, network(batch))
        assert begun.wait(LONG)
        threading.Timer(0.05, gate.set).start()
        raise KeyboardInterrupt
    assert scored == [0]
