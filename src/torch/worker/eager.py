"""Eager mode: the model places its own stubs; fused, observed and converted module by module.

Both the observed and the converted model are traced, so that their layers are compared as those of FX mode.
"""

import copy
import inspect

import torch
from torch import fx, nn
from torch.ao.quantization import DeQuantStub, QuantStub, QuantWrapper, convert, prepare

from align import computes
from compare import Stepper, tensor_facts
from failures import During, Failure
from layers import find_layers
from prepare import Changes, Prepared
from qconfigs import changed, global_mapping
from tracing import Innermost, has_stubs, trace_around

_FIX_INPUT = "put a torch.ao.quantization.QuantStub before it"
_FIX_FLOAT = (
    "put a DeQuantStub before it, or call a torch.ao.nn.quantized.FloatFunctional, which has a quantized form, in its place"
)


class _Tracer(Innermost, fx.Tracer):
    record_stack_traces = True

    def __init__(self, leaves):
        super().__init__()
        self._leaves = leaves

    def is_leaf_module(self, module, path):
        kind = type(module)
        is_torch = kind.__module__.startswith(("torch.nn.", "torch.ao."))
        return path in self._leaves or (is_torch and kind not in (nn.Sequential, QuantWrapper))


def _traced(module):
    """For the report alone: what cannot be traced is converted all the same, and shown as one layer."""
    try:
        tracer, graph, _ = trace_around(module, _Tracer, [])
    except Exception as error:
        raise Failure("untraceable", f"The model cannot be traced for its report: {str(error).strip()}", "model") from error
    scopes = {name: scope[0] for name, scope in getattr(tracer, "node_name_to_scope", {}).items()}
    return fx.GraphModule(module, graph), scopes


class FloatIsland(nn.Module):
    """Keeps a module in float between others that run in int8."""

    def __init__(self, module):
        super().__init__()
        self.dequant = DeQuantStub()
        self.module = module
        self.quant = QuantStub()

    def forward(self, x):
        return self.quant(self.module(self.dequant(x)))


def observed_eager(module, qconfig, own, islands):
    """The module fused and observed, in place. `own`: {path: qconfig or None for float}; `islands`: paths of
    :class:`FloatIsland`."""
    module.eval()
    if callable(getattr(module, "fuse_model", None)):
        has_mode = "is_qat" in inspect.signature(module.fuse_model).parameters
        module.fuse_model(**({"is_qat": False} if has_mode else {}))
    module.qconfig = qconfig
    for path, special in own.items():
        module.get_submodule(path).qconfig = special
    for path in islands:
        owner, _, name = path.rpartition(".")
        island = FloatIsland(module.get_submodule(path))
        island.qconfig = qconfig
        setattr(module.get_submodule(owner), name, island)
    return prepare(module, inplace=True)


def prepare_eager(model, options, example, built):
    """`options`: backend, settings, overrides. The model's own `fuse_model` is called where it has one."""
    if not has_stubs(model):
        raise Failure(
            "stubs",
            "the model has no QuantStub: eager mode quantizes what stands between QuantStub and DeQuantStub; "
            "`mode: static` needs none",
            "mode",
        )
    plain = _prepared(model, options, Changes(), built)
    overrides = options.get("overrides") or {}
    if not overrides:
        return plain
    changes = Changes()
    inside = _met_int8(plain, example)
    for layer in plain.layers:
        override = overrides.get(layer.name)
        if override is None:
            continue
        if not layer.is_module:
            raise Failure(
                "stubs",
                f'"{layer.name}" is a function, which in eager mode follows its inputs: put a DeQuantStub before it and a '
                "QuantStub behind it, or use `mode: static`",
                "layers",
            )
        own = {key: value for key, value in override.items() if key != "quantize"}
        is_float = override.get("quantize") is False
        changes.modules.append((layer.name, None if is_float else {**options["settings"], **own}))
        if is_float and layer.node in inside:
            changes.islands.append(layer.name)
    return _prepared(model, options, changes, built)


def _prepared(model, options, changes, built):
    backend = options["backend"]
    qconfig = global_mapping(backend, options["settings"]).global_qconfig
    ordinary = global_mapping(backend, {}).global_qconfig
    own = {path: None if one is None else changed(ordinary, one, backend, False) for path, one in changes.modules}
    with During("model", "fuse_model or prepare"):
        module = observed_eager(copy.deepcopy(model), qconfig, own, changes.islands)
    graph, scopes = _traced(module)
    nodes = {node.name for node in graph.graph.nodes if computes(node, graph)}
    layers = [layer for layer in find_layers(graph, scopes, nodes, built) if layer.node in nodes]
    for layer in layers:
        # The island is ours: the user knows the layer by the name that it had.
        if layer.name.endswith(".module") and layer.name[: -len(".module")] in changes.islands:
            layer.name = layer.name[: -len(".module")]
            layer.scope = layer.name.rpartition(".")[0]
            layer.parts[0] = layer.name
    prepared = Prepared(graph, layers, changes)
    prepared.eager = module
    return prepared


def _met_int8(prepared, example):
    """The nodes that are given integers when the model is converted as it stands."""
    module = copy.deepcopy(prepared.eager)
    with torch.no_grad():
        module(*example)
        graph, _ = _traced(convert(module).eval())
        _check_stubs(graph, prepared.layers, example)
        stepper, found = Stepper(graph, example), set()
        for node in graph.graph.nodes:
            facts = [tensor_facts(stepper.env[argument]) for argument in node.all_input_nodes]
            if any(fact is not None and fact["quantization"] is not None for fact in facts):
                found.add(node.name)
            if node.op == "output":
                return found
            stepper.step(node)
    return found


def convert_eager(prepared, example):
    """The int8 module, and its graph for the comparison; and the prepared graph stops observing."""
    with During("model", "convert"):
        module = convert(copy.deepcopy(prepared.eager)).eval()
    graph, _ = _traced(module)
    _check_stubs(graph, prepared.layers, example)
    for part in prepared.module.modules():
        part._forward_hooks.clear()
    return module, graph


def _check_stubs(graph, layers, example):
    """@raise Failure that names the layer which met a float where it needs int8, or the other way round"""
    sources = {layer.node: layer for layer in layers}
    with torch.no_grad():
        stepper = Stepper(graph, example)
        for node in graph.graph.nodes:
            if node.op == "output":
                return
            inputs = [tensor_facts(stepper.env[argument]) for argument in node.all_input_nodes]
            try:
                stepper.step(node)
            except (RuntimeError, NotImplementedError) as error:
                layer = sources.get(node.name)
                place = (layer.source or {}).get("called") if layer is not None else None
                where = "" if place is None else f' (called in {place["file"]}:{place["line"]})'
                name = layer.name if layer is not None else node.name
                is_int8 = any(fact is not None and fact["quantization"] is not None for fact in inputs)
                what = f"computes in float but is given int8: {_FIX_FLOAT}" if is_int8 else f"was made int8 but is given float: {_FIX_INPUT}"
                raise Failure("stubs", f'"{name}"{where} {what}', "model") from error
