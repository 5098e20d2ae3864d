"""Observers that torch lacks. They keep the histogram of torch's own and choose another range from it."""

import torch
from torch.ao.quantization import FakeQuantize, HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver

from ranges import EntropyRange, PercentileRange


class PercentileObserver(PercentileRange, HistogramObserver):
    pass


class EntropyObserver(EntropyRange, HistogramObserver):
    pass


class SettledFakeQuantize(FakeQuantize):
    """Observes until it is settled, and then rounds to the range that calibration found: a histogram, or the extremes of
    all that ever was, would not follow a model that is being trained."""

    settled = False

    def settle(self):
        scale, zero_point = self.calculate_qparams()
        for known, found in ((self.scale, scale), (self.zero_point, zero_point)):
            known.resize_(found.shape).copy_(found)
        self.disable_observer()
        self.settled = True

    def enable_observer(self, enabled=True):
        super().enable_observer(enabled and not self.settled)

    def forward(self, x):
        if not self.settled:
            self.activation_post_process(x.detach())
            return x
        if not bool(self.fake_quant_enabled[0]):
            return x
        # `reduce_range` halves the range that the scale is made for, but the converted model still clips where its type
        # ends. Clipping at the half, as torch does here, trains weights for values that are cut off in no int8 model.
        levels = torch.iinfo(self.dtype)
        return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, levels.min, levels.max)


def settle(module):
    """To be called after calibration, before training."""
    for part in module.modules():
        if isinstance(part, SettledFakeQuantize):
            part.settle()


def observer_name(observer):
    """What a recipe calls an observer of torch or of ours; None for a range that no data decides."""
    for name in ("percentile", "entropy", "mse", "moving-average", "min-max"):
        if isinstance(observer, observer_class(name)):
            return name
    return None


def observer_class(name, percentile=None):
    """`mse` is torch's own HistogramObserver, which searches the range with the least squared error."""
    if name == "percentile":
        if percentile is None:
            return PercentileObserver
        return type("PercentileObserver", (PercentileObserver,), {"percentile": percentile})
    return {
        "min-max": MinMaxObserver,
        "moving-average": MovingAverageMinMaxObserver,
        "mse": HistogramObserver,
        "entropy": EntropyObserver,
    }[name]
