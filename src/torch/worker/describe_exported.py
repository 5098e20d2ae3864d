"""Status, reason, kernel, tensors and times of every layer of an exported graph."""

from layers import MOVES, with_text
from lowered import kernel_name
from patterns import DEQUANTIZE, attribute, data_of, is_observer, source_of, weight_of
from quantizers import OBSERVERS, PercentileObserver
from tensors import span_of


def describe_layers(compared, excluded, supported, lowered, fp32):
    """One dictionary for every layer of the report. `supported`: operators that the quantizer knows; `fp32`: microseconds by
    node of the prepared graph."""
    nodes = {node.name: node for node in compared.prepared.graph.nodes}
    names = {part.end.name: part.layer.name for part in compared.parts}
    return [_describe(compared, part, nodes, names, excluded, supported, lowered, fp32) for part in compared.parts]


def _describe(compared, part, nodes, names, excluded, supported, lowered, fp32):
    layer, start = part.layer, part.chain[0]
    own = [nodes[node.name] for node in part.chain]
    kernel = None if lowered is None else lowered.int8_kernel(layer.node)
    ran = part.rounds and (lowered is None or kernel is not None)
    shape = list(own[-1].meta["val"].shape) if hasattr(own[-1].meta["val"], "shape") else None
    spent = [fp32[node] for node in own if node in fp32]
    return {
        "name": layer.name,
        "op": layer.op,
        "fused": layer.fused,
        "nodes": layer.parts,
        "scope": layer.scope.replace(".", "/"),
        "source": with_text(layer.source),
        "int8": ran,
        "reason": None if ran else _reason(part, own[-1], excluded, supported),
        "kernel": kernel or f"{kernel_name(start.target)}{' (float, between quantize and dequantize)' if part.rounds else ''}",
        "time": {"int8": None if lowered is None else lowered.times.get(layer.node), "fp32": sum(spent) if spent else None},
        "macs": _multiply_adds(own[0], compared.prepared, shape),
        "local": compared.local[part].result(),
        "accumulated": compared.accumulated[part].result(),
        "tensors": _tensors(compared, part, own, names, shape),
    }


def _reason(part, end, excluded, supported):
    if part.layer.name in excluded:
        return "excluded"
    if getattr(getattr(end.meta["val"], "dtype", None), "is_floating_point", True) is False:
        return "not-float"
    if part.layer.op in MOVES:
        return "data-movement"
    return "runtime-not-fused" if part.rounds or part.chain[0].target in supported else "op-not-supported"


def _multiply_adds(start, module, shape):
    """Of one sample: every output element costs one product per weight of its channel."""
    weight = weight_of(start, module)
    if weight is None or shape is None:
        return 0
    elements, values = 1, attribute(weight, module)
    for dim in shape:
        elements *= dim
    return elements * (values.numel() // values.shape[0])


def _tensors(compared, part, own, names, shape):
    prepared, converted, tensors = compared.prepared, compared.converted, []
    inside = {node.name for node in own}
    for before, after in zip(own, part.chain):
        for argument, met in zip(data_of(before, prepared), data_of(after, converted)):
            source = source_of(argument, prepared)
            if source.name in inside or not hasattr(source.meta.get("val"), "shape"):
                continue
            observer = prepared.get_submodule(argument.target) if is_observer(argument, prepared) else None
            name = names.get(source.name, source.name)
            tensors.append(_activation(name, "input", list(source.meta["val"].shape), observer, _quantization(met, converted)))
    weight = _weight(part, own[0], prepared, converted)
    if weight is not None:
        tensors.append(weight)
    if shape is not None:
        observer = next((prepared.get_submodule(user.target) for user in own[-1].users if is_observer(user, prepared)), None)
        written = None if part.written is None else _quantization(part.shown, converted)
        tensors.append(_activation(part.layer.name, "output", shape, observer, written))
    return tensors


def _activation(name, role, shape, observer, found):
    quantization, levels = found if found is not None else (None, None)
    chosen = {} if found is None or observer is None else {"chosenBy": _choice(observer, levels)}
    return {
        **chosen,
        "name": name,
        "shape": shape,
        "role": role,
        "observed": span_of(observer),
        "range": None if found is None else _range(quantization, levels),
        "quantization": quantization,
    }


def _choice(observer, levels):
    return {
        "observer": _observer_name(observer),
        "percentile": getattr(observer, "percentile", PercentileObserver.percentile),
        "qmin": levels[0],
        "qmax": levels[1],
        "symmetric": False,
    }


def _observer_name(observer):
    # The special ones are histograms too, and come first in the table.
    return next((name for name, kind in OBSERVERS.items() if isinstance(observer, kind)), None)


def _range(quantization, levels):
    scale, zero = quantization["scale"][0], quantization["zeroPoint"][0]
    return {"min": (levels[0] - zero) * scale, "max": (levels[1] - zero) * scale}


def _quantization(node, module):
    """(scale, zero point, …; the least and the largest level) of a dequantize; None of any other node."""
    if node.target not in DEQUANTIZE:
        return None
    values = [attribute(value, module).tolist() if getattr(value, "op", None) == "get_attr" else value for value in node.args[1:]]
    per_channel = "per_channel" in str(node.target)
    scale, zero, *rest = values
    axis = rest.pop(0) if per_channel else None
    low, high, kind = rest[:3]
    return (
        {
            "type": str(kind).replace("torch.", ""),
            "scale": scale if isinstance(scale, list) else [scale],
            "zeroPoint": [int(one) for one in (zero if isinstance(zero, list) else [zero])],
            "axis": axis,
        },
        (low, high),
    )


def _weight(part, start, prepared, converted):
    source = weight_of(start, prepared)
    if source is None:
        return None
    values = attribute(source, prepared).detach()
    span = {"min": float(values.min()), "max": float(values.max())}
    found = _quantization(part.chain[0].args[1], converted)
    return {
        "name": f"{part.layer.name}.weight",
        "shape": list(values.shape),
        "role": "weight",
        "observed": span,
        "range": span,
        "quantization": None if found is None else found[0],
    }
