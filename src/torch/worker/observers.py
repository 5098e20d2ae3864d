"""Observers that torch lacks. They keep the histogram of torch's own and choose another range from it."""

import torch
from torch.ao.quantization import FakeQuantize, HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver


def _edges(observer):
    low, high = float(observer.min_val), float(observer.max_val)
    return low, (high - low) / observer.bins


class PercentileObserver(HistogramObserver):
    """Leaves out the outermost values: half of what `percentile` leaves out on either side."""

    percentile = 99.999

    def _non_linear_param_search(self):
        counts = self.histogram.double()
        total = float(counts.sum())
        low, width = _edges(self)
        tail = total * (100 - self.percentile) / 200
        below = torch.cumsum(counts, 0)
        first = int((below <= tail).sum())
        last = int((below < total - tail).sum())
        return torch.tensor(low + first * width), torch.tensor(low + (min(last, self.bins - 1) + 1) * width)


class EntropyObserver(HistogramObserver):
    """The range whose 256 levels keep the distribution: least Kullback-Leibler divergence, as TensorRT calibrates."""

    steps = 64

    def _non_linear_param_search(self):
        counts = self.histogram.double()
        low, width = _edges(self)
        zero = min(max(int(round(-low / width)), 0), self.bins) if width > 0 else 0
        best, chosen = float("inf"), (0, self.bins)
        for step in range(self.steps, self.steps // 4, -1):
            share = step / self.steps
            first, last = round(zero * (1 - share)), round(zero + (self.bins - zero) * share)
            if last - first < 256:
                break
            divergence = _divergence(counts, first, last)
            if divergence < best:
                best, chosen = divergence, (first, last)
        return torch.tensor(low + chosen[0] * width), torch.tensor(low + chosen[1] * width)


def _divergence(counts, first, last):
    inside = counts[first:last].clone()
    kept = inside.clone()
    inside[0] += counts[:first].sum()
    inside[-1] += counts[last:].sum()
    level = torch.arange(last - first) * 256 // (last - first)
    sums = torch.zeros(256, dtype=torch.double).scatter_add_(0, level, kept)
    filled = torch.zeros(256, dtype=torch.double).scatter_add_(0, level, (kept > 0).double())
    spread = torch.where(kept > 0, (sums / filled.clamp(min=1))[level], torch.zeros_like(kept))
    p, q = inside / inside.sum(), spread / spread.sum().clamp(min=1e-30)
    present = p > 0
    return float((p[present] * torch.log(p[present] / q[present].clamp(min=1e-12))).sum())


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
