"""What a training is measured against: the same model by the same settings, calibrated and converted without training."""

import torch
from torch.ao.quantization.quantize_fx import convert_fx

from failures import During
from prepare import prepare


def untrained(loaded, example, options, samples):
    """`options` as those of the training, whose mode does not count; `samples` are those of its calibration."""
    prepared = prepare(loaded.module, example, {**options, "mode": "static"}, loaded.built).module
    with torch.no_grad(), During("calibration.data", "Calibration"):
        for _, inputs in samples:
            prepared(*inputs)
    with During("model", "convert_fx"):
        return convert_fx(prepared).eval()
