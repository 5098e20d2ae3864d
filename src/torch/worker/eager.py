"""Eager mode: the model places its own stubs; fused, observed and converted module by module.

Both the observed and the converted model are traced, so that their layers are compared as those of FX mode.
"""

import copy
import inspect

import torch
from torch import fx, nn
from torch.ao.quantization import DeQuantStub, QuantStub, QuantWrapper, convert
from torch.ao.quantization import prepare as observe

from align import computes
from compare import Stepper, tensor_facts
from failures import During, Failure
from layers import find_layers
from prepare import Changes, Prepared
from qconfigs import global_mapping

_FIX_INPUT = "put a torch.ao.quantization.QuantStub before it"
_FIX_FLOAT = (
    "put a DeQuantStub before it, or call a torch.ao.nn.quantized.FloatFunctional, which has a quantized form, in its place"
)


class _Tracer(fx.Tracer):
    record_stack_traces = True

    def is_leaf_module(self, module, path):
        kind = type(module)
        return kind.__module__.startswith(("torch.nn.", "torch.ao.")) and kind not in (nn.Sequential, QuantWrapper)


def _traced(module):
    tracer = _Tracer()
    try:
        graph = tracer.trace(module)
    except Exception as error:
        raise Failure("untraceable", f"The model cannot be traced for its report: {str(error).strip()}", "model") from error
    scopes = {name: scope[0] for name, scope in getattr(tracer, "node_name_to_scope", {}).items()}
    return fx.GraphModule(module, graph), scopes


def prepare_eager(model, options, built):
    """`options`: backend, settings. The model's own `fuse_model` is called where it has one."""
    if not any(isinstance(part, (QuantStub, QuantWrapper)) for part in model.modules()):
        raise Failure(
            "stubs",
            "the model has no QuantStub: eager mode quantizes what stands between QuantStub and DeQuantStub; "
            "`mode: static` needs none",
            "mode",
        )
    if options.get("overrides"):
        raise Failure("stubs", "in eager mode the stubs of the model decide what stays in float", "layers")
    module = copy.deepcopy(model).eval()
    fuse = getattr(module, "fuse_model", None)
    if callable(fuse):
        with During("model", "fuse_model"):
            fuse(**({"is_qat": False} if "is_qat" in inspect.signature(fuse).parameters else {}))
    module.qconfig = global_mapping(options["backend"], options["settings"]).global_qconfig
    with During("model", "prepare"):
        observe(module, inplace=True)
    graph, scopes = _traced(module)
    nodes = {node.name for node in graph.graph.nodes if computes(node, graph)}
    layers = [layer for layer in find_layers(graph, scopes, nodes, built) if layer.node in nodes]
    prepared = Prepared(graph, layers, Changes())
    prepared.eager = module
    return prepared


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
