"""Sums of squares behind the errors that are reported: SQNR = 10 log10(sum x^2 / sum (x - y)^2), pooled over samples."""

import math

import torch

# What stands for minus infinity dB, as in the driver's own measures.
SQNR_FLOOR = -300.0


class ErrorSums:
    """Pooled error of one value; `add` is called once for every sample."""

    def __init__(self):
        self._total = [0.0, 0.0, 0.0]
        self._worst = None
        self._added = False
        self._values = self._compared = 0

    def add(self, sample, reference, approximation):
        x, y = reference.detach().double().flatten(), approximation.detach().double().flatten()
        if x.numel() != y.numel():
            return
        self._added = True
        self._values += x.numel()
        finite = torch.isfinite(x)
        if not bool(finite.all()):
            x, y = x[finite], y[finite]
        self._compared += x.numel()
        if x.numel() == 0:
            return
        difference = x - y
        sums = [float(torch.dot(x, x)), float(torch.dot(y, y)), float(torch.dot(difference, difference))]
        if math.isnan(sums[2]):
            sums[1] = sums[2] = math.inf
        self._total = [a + b for a, b in zip(self._total, sums)]
        worst = (_comparable(_sqnr(sums)), sample, _sqnr(sums))
        if self._worst is None or worst[:2] < self._worst[:2]:
            self._worst = worst

    def result(self):
        """None where nothing was added; what was added may hold nothing to compare."""
        if not self._added:
            return None
        if self._worst is None:
            return {"incomparable": "empty" if self._values == 0 else "not-finite"}
        share = self._compared / self._values
        return {
            "sqnr": _sqnr(self._total),
            "cosine": _cosine(self._total),
            "worst": {"sample": self._worst[1], "sqnr": self._worst[2]},
            **({} if share == 1 else {"share": share}),
        }


def output_errors(comparison):
    return [{"index": index, "error": sums.result()} for index, sums in sorted(comparison.outputs.items())]


def _comparable(sqnr):
    return math.inf if sqnr is None else sqnr


def _sqnr(sums):
    reference, _, error = sums
    if error == 0:
        return None
    if reference == 0 or not math.isfinite(error):
        return SQNR_FLOOR
    return max(SQNR_FLOOR, 10 * math.log10(reference / error))


def _cosine(sums):
    reference, approximation, error = sums
    if error == 0:
        return 1.0
    norms = math.sqrt(reference) * math.sqrt(approximation)
    if norms == 0 or not math.isfinite(norms):
        return 0.0
    return min(1.0, max(-1.0, (reference + approximation - error) / (2 * norms)))
