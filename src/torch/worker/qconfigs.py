"""The recipe's settings as a QConfigMapping of torch."""

import torch
from torch import nn
from torch.ao.quantization import (
    FakeQuantize,
    MinMaxObserver,
    PerChannelMinMaxObserver,
    QConfig,
    QConfigMapping,
    default_dynamic_qconfig,
    get_default_qat_qconfig_mapping,
    get_default_qconfig_mapping,
    per_channel_dynamic_qconfig,
)

from failures import Failure
from observers import SettledFakeQuantize, observer_class

# As torch's own defaults: seven bits where two u8 x s8 products must fit in 16 bits (torch/ao/quantization/qconfig.py).
REDUCES_RANGE = {"fbgemm": True, "x86": True, "onednn": False, "qnnpack": False}


def default_mapping(backend, qat):
    return get_default_qat_qconfig_mapping(backend) if qat else get_default_qconfig_mapping(backend)


def changed(qconfig, settings, backend, qat):
    """A qconfig with what the recipe says otherwise. `settings`: observer, percentile, granularity, symmetric, reduceRange."""
    activation, weight = qconfig.activation, qconfig.weight
    name, reduce = settings.get("observer"), settings.get("reduceRange")
    if name is not None or reduce is not None:
        name = name or ("moving-average" if qat else "mse")
        observer = observer_class(name, settings.get("percentile"))
        reduced = REDUCES_RANGE[backend] if reduce is None else reduce
        if qat:
            fake = FakeQuantize if name == "moving-average" else SettledFakeQuantize
            activation = fake.with_args(
                observer=observer, quant_min=0, quant_max=255, dtype=torch.quint8, reduce_range=reduced
            )
        else:
            activation = observer.with_args(dtype=torch.quint8, reduce_range=reduced)
    return QConfig(activation=activation, weight=_weight(weight, settings, qat))


def _weight(default, settings, qat):
    granularity, symmetric = settings.get("granularity"), settings.get("symmetric")
    if granularity is None and symmetric is None:
        return default
    per_channel = granularity == "per-channel"
    if symmetric is False:
        raise Failure("weights", "PyTorch's int8 kernels take symmetric weights only", "weights")
    scheme = torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric
    observer = PerChannelMinMaxObserver if per_channel else MinMaxObserver
    if not qat:
        return observer.with_args(dtype=torch.qint8, qscheme=scheme)
    return FakeQuantize.with_args(
        observer=observer, quant_min=-128, quant_max=127, dtype=torch.qint8, qscheme=scheme
    )


def global_mapping(backend, settings, qat=False):
    """torch's default mapping of the backend; with settings, changed wherever it has its ordinary activation."""
    mapping = default_mapping(backend, qat)
    if not any(value is not None for value in settings.values()):
        return mapping
    ordinary = mapping.global_qconfig
    # One object for all: torch 1.13 fuses a convolution and its BatchNorm only where theirs are the same.
    whole = changed(ordinary, settings, backend, qat)
    for kind, qconfig in list(mapping.object_type_qconfigs.items()):
        # Fixed ranges (sigmoid, softmax) and placeholders stay as they are.
        if qconfig is None or qconfig.activation is not ordinary.activation:
            continue
        per_tensor_only = qconfig.weight is not ordinary.weight
        own = changed(qconfig, {**settings, "granularity": None}, backend, qat) if per_tensor_only else whole
        mapping.set_object_type(kind, own)
    mapping.set_global(whole)
    return mapping


# What `quantize_dynamic` of torch quantizes by default.
DYNAMIC = (nn.Linear, nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell, nn.RNNCell)


def dynamic_mapping(settings):
    """Weights in int8, activations at run time; one scale for each channel of Linear where the recipe says so."""
    mapping = QConfigMapping()
    for kind in DYNAMIC:
        per_channel = kind is nn.Linear and settings.get("granularity") == "per-channel"
        mapping.set_object_type(kind, per_channel_dynamic_qconfig if per_channel else default_dynamic_qconfig)
    return mapping
