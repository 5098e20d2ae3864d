"""Which range of a histogram an observer chooses, where torch lacks the choice: mixed into a histogram observer."""

import torch


def _edges(observer):
    low, high = float(observer.min_val), float(observer.max_val)
    return low, (high - low) / observer.bins


class PercentileRange:
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


class EntropyRange:
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
