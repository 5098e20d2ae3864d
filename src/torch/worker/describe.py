"""Status, reason, kernel, tensors and times of every layer, read off the converted graph as it ran."""

import torch
from torch import nn
from torch.ao.quantization.backend_config import get_native_backend_config

from align import observer_of, source_of
from compare import is_dynamic, module_of, multiply_adds, quantization_facts
from layers import MOVES, with_text
from observers import PercentileObserver, observer_name
from qconfigs import DYNAMIC
from tensors import span_of


def supported_patterns():
    """Module types, functions and methods that some quantized pattern of torch begins with or consists of."""
    configs = get_native_backend_config().configs
    patterns = configs.keys() if isinstance(configs, dict) else [config.pattern for config in configs]
    found = set()

    def collect(pattern):
        if isinstance(pattern, (tuple, list)):
            for part in pattern:
                collect(part)
        elif pattern is not None:
            found.add(pattern)

    for pattern in patterns:
        collect(pattern)
    return found


def describe_layers(comparison, layers, excluded, mode, times):
    """One dictionary for every layer of the report, in the order of the converted graph."""
    by_node = {layer.node: layer for layer in layers}
    supported = set(DYNAMIC) if mode == "dynamic" else supported_patterns()
    described = []
    for pair in comparison.pairs:
        layer = by_node.get(pair.chain[0].name)
        if layer is None:
            continue
        merged = [by_node[node.name] for node in pair.chain[1:] if node.name in by_node]
        described.append(_describe(comparison, pair, layer, merged, excluded, mode, supported, times))
    return described


def _describe(comparison, pair, layer, merged, excluded, mode, supported, times):
    node = pair.node
    facts = comparison.facts[node]
    ran = comparison.runs_int8(node)
    reason = None if ran else _reason(comparison, pair, layer, facts, excluded, mode, supported)
    fp32, int8 = times
    return {
        "name": layer.name,
        "op": layer.op,
        "fused": layer.fused + [part for other in merged for part in [other.op, *other.fused]],
        "nodes": layer.parts + [name for other in merged for name in other.parts],
        "scope": layer.scope.replace(".", "/"),
        "source": with_text(layer.source),
        "int8": ran,
        "reason": reason,
        "kernel": _kernel(node, comparison.converted, ran),
        "time": {"int8": int8.get(node), "fp32": _sum([fp32.get(part) for part in pair.chain])},
        "macs": multiply_adds(pair.chain[0], comparison.prepared, facts),
        "local": comparison.local[node].result(),
        "accumulated": comparison.accumulated[node].result(),
        "tensors": _tensors(comparison, pair, layer, facts),
    }


def _sum(values):
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _reason(comparison, pair, layer, facts, excluded, mode, supported):
    if layer.name in excluded:
        return "excluded"
    if facts["output"] is None:
        return "shape-computation"
    if not facts["output"]["type"].startswith(("float", "bfloat")):
        return "not-float"
    if layer.op in MOVES:
        return "data-movement"
    start = pair.chain[0]
    kind = type(module_of(start, comparison.prepared)) if start.op == "call_module" else start.target
    if kind in supported:
        return "runtime-not-fused"
    return "mode-skips-op" if mode == "dynamic" else "op-not-supported"


def _kernel(node, converted, ran):
    if node.op == "call_module":
        kind = type(converted.get_submodule(node.target))
        if ".quantized" in kind.__module__:
            place = "quantized.dynamic" if is_dynamic(node, converted) else "quantized"
            return f"{place}.{kind.__name__}"
        return f"{kind.__name__} (quint8)" if ran else kind.__name__
    name = str(node.target) if node.op == "call_method" else getattr(node.target, "__name__", str(node.target))
    qualified = str(node.target)
    if "quantized" in qualified and "." in qualified:
        name = "quantized." + name.split(".")[0]
    return f"{name} (quint8)" if ran and not name.startswith("quantized.") else name


def _tensors(comparison, pair, layer, facts):
    tensors = []
    for source, fact in facts["inputs"]:
        if source is not None and fact is not None:
            tensors.append(_activation(source, "input", fact, comparison))
    weight = _weight(comparison, pair, layer)
    if weight is not None:
        tensors.append(weight)
    if facts["output"] is not None:
        tensors.append(_activation(pair.reference, "output", facts["output"], comparison, layer.name))
    return tensors


def _activation(node, role, fact, comparison, name=None):
    observer = observer_of(source_of(node, comparison.prepared), comparison.prepared)
    own = name or (str(node.target) if node.op == "call_module" else node.name)
    chosen = {} if fact["quantization"] is None or observer is None else {"chosenBy": _choice(observer)}
    return {
        **chosen,
        "name": own,
        "shape": fact["shape"],
        "role": role,
        "observed": observed_range(observer),
        "range": _range(fact["quantization"], observer),
        "quantization": fact["quantization"],
    }


def _choice(observer):
    inner = _observer_in(observer)
    return {
        "observer": observer_name(inner),
        "percentile": getattr(inner, "percentile", PercentileObserver.percentile),
        "qmin": getattr(observer, "quant_min", 0),
        "qmax": getattr(observer, "quant_max", 255),
        "symmetric": False,
    }


def _observer_in(observer):
    # Fake quantization keeps its observer inside.
    return getattr(observer, "activation_post_process", observer)


def observed_range(observer):
    inner = _observer_in(observer)
    return span_of(inner)


def _range(quantization, observer):
    if quantization is None or quantization["axis"] is not None:
        return None
    low, high = getattr(observer, "quant_min", 0), getattr(observer, "quant_max", 255)
    scale, zero = quantization["scale"][0], quantization["zeroPoint"][0]
    return {"min": (low - zero) * scale, "max": (high - zero) * scale}


def _weight(comparison, pair, layer):
    if pair.node.op != "call_module":
        return None
    before = _plain_weight(module_of(pair.chain[0], comparison.prepared))
    after = module_of(pair.node, comparison.converted)
    if before is None:
        return None
    packed = after.weight() if callable(getattr(after, "weight", None)) else None
    span = {"min": float(before.min()), "max": float(before.max())}
    return {
        "name": f"{layer.name}.weight",
        "shape": list(before.shape),
        "role": "weight",
        "observed": span,
        "range": span,
        "quantization": quantization_facts(packed) if packed is not None and packed.is_quantized else None,
    }


def _plain_weight(module):
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor):
        # A fused module is a sequence whose first part has the weight.
        first = module[0] if isinstance(module, nn.Sequential) and len(module) > 0 else None
        weight = getattr(first, "weight", None)
    return weight.detach() if isinstance(weight, torch.Tensor) and weight.numel() > 0 else None
