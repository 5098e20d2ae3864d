"""Trains the fake-quantized copy of a model to give what the fp32 model gives, without labels."""

import copy
import math

import torch

from tensors import copied, first_tensor

BATCH = 16
# Every fifth sample, but no more of them than these, is not learned from: on those it is judged which state is best.
HELD_OUT = 5
MOST_HELD_OUT = 64
# As many passes without a better result end the training. While the rate is high the loss goes up and down.
PATIENCE = 5


class Distillation:
    """Knowledge distillation from the fp32 model: the least squares of the outputs, relative to their power.

    The student stays in eval mode: statistics of BatchNorm are frozen and nothing is dropped out, as at inference. The
    rate falls along half a cosine, and in the second half of the passes the ranges of the activations stay as they are.
    """

    def __init__(self, student, teacher, rate, epochs):
        self._student = student.eval()
        self._teacher = teacher
        self._optimizer = torch.optim.Adam(student.parameters(), lr=rate)
        self._rate = rate
        self._epochs = epochs
        self._epoch = 0
        self._worse = 0
        self._held_out = []
        self._best = None, None

    def train(self, samples):
        """All passes. `samples` gives a new iterator of (id, inputs) each time."""
        while not self.run(samples())["ended"]:
            pass
        self.finish()

    def run(self, samples):
        """One pass; the first learns nothing, since the state before the training is the one to beat.

        Returns the loss on the samples held out, whether it is the least so far, and whether this was the last pass.
        """
        epoch, self._epoch = self._epoch, self._epoch + 1
        self._frozen = 2 * epoch > self._epochs
        self._observe()
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * (1 + math.cos(math.pi * max(0, epoch - 1) / self._epochs)) / 2
        if epoch == 0:
            self._hold_out(samples)
        else:
            self._learn(samples)
        result = self._judge()
        self._worse = 0 if result["best"] else self._worse + 1
        return {**result, "epoch": epoch, "ended": epoch == self._epochs or self._worse == PATIENCE}

    def finish(self):
        """Goes back to the best state."""
        self._student.load_state_dict(self._best[1])

    def _observe(self):
        observing = torch.ao.quantization.disable_observer if self._frozen else torch.ao.quantization.enable_observer
        self._student.apply(observing)

    def _hold_out(self, samples):
        kept = [inputs for index, (_, inputs) in enumerate(samples) if is_held_out(index)]
        self._held_out = [(inputs, self._wanted(inputs)) for inputs in batches(kept)]

    def _learn(self, samples):
        for inputs in batches(inputs for index, (_, inputs) in enumerate(samples) if not is_held_out(index)):
            self._optimizer.zero_grad()
            self._loss(inputs, self._wanted(inputs)).backward()
            self._optimizer.step()

    def _wanted(self, inputs):
        with torch.no_grad():
            return first_tensor(self._teacher(*copied(inputs)))

    def _loss(self, inputs, wanted):
        found = first_tensor(self._student(*copied(inputs)))
        return (found - wanted).square().mean() / wanted.square().mean().clamp(min=1e-12)

    def _judge(self):
        self._student.apply(torch.ao.quantization.disable_observer)
        with torch.no_grad():
            losses = [float(self._loss(inputs, wanted)) for inputs, wanted in self._held_out]
        self._observe()
        loss = sum(losses) / len(losses)
        least, _ = self._best
        better = least is None or loss < least
        if better:
            self._best = loss, copy.deepcopy(self._student.state_dict())
        return {"loss": loss, "best": better}


def is_held_out(index):
    return index % HELD_OUT == 0 and index < HELD_OUT * MOST_HELD_OUT


def batches(samples):
    """Lists of inputs, put together along their first dimension."""
    batch = []
    for inputs in samples:
        batch.append(inputs)
        if len(batch) == BATCH:
            yield [torch.cat(parts) for parts in zip(*batch)]
            batch = []
    if batch:
        yield [torch.cat(parts) for parts in zip(*batch)]
