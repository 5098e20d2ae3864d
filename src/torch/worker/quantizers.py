"""The recipe's settings as a quantizer of torchao."""

import dataclasses

import torch
from torchao.quantization.pt2e import HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)

from ranges import EntropyRange, PercentileRange

# The least scale, as in torchao's own configuration: an observer that saw only zeros divides by nothing.
_EPS = 2**-12


class PercentileObserver(PercentileRange, HistogramObserver):
    pass


class EntropyObserver(EntropyRange, HistogramObserver):
    pass


OBSERVERS = {
    "percentile": PercentileObserver,
    "entropy": EntropyObserver,
    "mse": HistogramObserver,
    "moving-average": MovingAverageMinMaxObserver,
    "min-max": MinMaxObserver,
}


def config_of(settings):
    """torchao's default, with what the recipe says otherwise. `settings`: observer, percentile, granularity, reduceRange."""
    config = get_default_x86_inductor_quantization_config(reduce_range=settings.get("reduceRange") is True)
    activation, weight = config.input_activation, config.weight
    name, percentile = settings.get("observer"), settings.get("percentile")
    if name is not None:
        observer = OBSERVERS[name]
        if percentile is not None:
            observer = type(observer.__name__, (observer,), {"percentile": percentile})
        activation = dataclasses.replace(activation, observer_or_fake_quant_ctr=observer.with_args(eps=_EPS))
    if settings.get("granularity") == "per-tensor":
        weight = dataclasses.replace(
            weight,
            qscheme=torch.per_tensor_symmetric,
            ch_axis=None,
            observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=_EPS),
        )
    return dataclasses.replace(config, input_activation=activation, output_activation=activation, weight=weight)


class RecipeQuantizer(X86InductorQuantizer):
    """torchao's own, with what the recipe says of single layers. `own`: {node of the exported graph: settings, or None for
    float}; what would be fused with such a node goes with it."""

    def __init__(self, settings, own):
        super().__init__()
        self._own = own
        self.set_global(config_of(settings))

    def annotate(self, model):
        for name, settings in self._own.items():
            config = None if settings is None else config_of(settings)
            self._annotate_with_config(model, config, lambda nodes: any(node.name == name for node in nodes))
        return super().annotate(model)
