"""FX mode from a model to an observed one, with layers that are excluded or set apart."""

import copy

import torch
from torch import fx
from torch.ao.quantization import quantize_fx
from torch.ao.quantization.fx.custom_config import PrepareCustomConfig
from torch.ao.quantization.quantize_fx import prepare_fx, prepare_qat_fx

from failures import During
from layers import KeepFloat, find_layers, hide_from_lowering
from qconfigs import changed, dynamic_mapping, global_mapping
from tracing import Innermost, untraceable


class Prepared:
    """`module` is the observed GraphModule, `layers` what it consists of, `changes` how it differs from the default."""

    def __init__(self, module, layers, changes):
        self.module = module
        self.layers = layers
        self.changes = changes
        # Of eager mode: the observed module itself.
        self.eager = None


class Changes:
    """`hidden`: names of nodes kept in float; `modules`, `functions`: (place, settings or None for float); `islands`: paths
    of modules that eager mode keeps in float between others in int8."""

    def __init__(self):
        self.hidden = set()
        self.modules = []
        self.functions = []
        self.islands = []


def prepare(model, example, options, built):
    """`options`: backend, settings, leaves, overrides ({layer name: {quantize, observer, …}}), mode."""
    qat, dynamic = options["mode"] == "qat", options["mode"] == "dynamic"
    leaves = options.get("leaves", [])
    backend, settings = options["backend"], options["settings"]
    overrides = options.get("overrides", {})
    module = copy.deepcopy(model).train(qat)
    traced, scopes = trace(module, leaves)
    mapping = dynamic_mapping(settings) if dynamic else global_mapping(backend, settings, qat)
    custom = PrepareCustomConfig().set_non_traceable_module_names(list(leaves))
    custom.set_non_traceable_module_classes([KeepFloat])
    changes = Changes()
    if overrides:
        # Names of layers are known only when fused, so this is done twice where there is something to look up.
        plain = find_layers(traced, scopes, _nodes(_run(copy.deepcopy(module), mapping, example, custom, qat)), built)
        excluded = [layer for layer in plain if overrides.get(layer.name, {}).get("quantize") is False]
        # Only what has an activation that is quantized can be lowered by its neighbours.
        changes.hidden = set() if dynamic else {layer.node for layer in excluded}
        if changes.hidden:
            hide_from_lowering(traced, changes.hidden)
            module = traced
        _apply(mapping, plain, overrides, options, _places(traced, {} if changes.hidden else scopes), changes)
    observed = _run(module, mapping, example, custom, qat).eval()
    return Prepared(observed, find_layers(traced, scopes, _nodes(observed), built), changes)


class _Tracer(Innermost, quantize_fx.QuantizationTracer):
    record_stack_traces = True


def _tracer(leaves):
    return _Tracer(list(leaves), [])


def trace(module, leaves):
    """The graph of the model as FX mode sees it, modules of `leaves` (paths) unopened; and the scope of every node."""
    tracer = _tracer(leaves)
    try:
        graph = tracer.trace(module)
    except Exception as error:
        raise untraceable(module, _tracer, leaves, error) from error
    scopes = {name: scope[0] for name, scope in tracer.node_name_to_scope.items()}
    return fx.GraphModule(module, graph), scopes


def _run(module, mapping, example, custom, qat):
    run = prepare_qat_fx if qat else prepare_fx
    with During("model", "prepare_fx"):
        return run(module, mapping, tuple(example), prepare_custom_config=custom)


def _nodes(module):
    return {node.name for node in module.graph.nodes}


def _places(traced, scopes):
    """Function nodes by name as QConfigMapping counts them: scope, function, which of its calls in that scope."""
    counts, places = {}, {}
    for node in traced.graph.nodes:
        if node.op != "call_function":
            continue
        key = scopes.get(node.name, ""), node.target
        places[node.name] = (*key, counts.get(key, 0))
        counts[key] = counts.get(key, 0) + 1
    return places


def _apply(mapping, layers, overrides, options, places, changes):
    for layer in layers:
        override = overrides.get(layer.name)
        if override is None:
            continue
        settings = None
        if override.get("quantize") is False:
            qconfig = None
        elif options["mode"] == "dynamic":
            continue
        else:
            settings = {**options["settings"], **{key: value for key, value in override.items() if key != "quantize"}}
            ordinary = mapping_default(options)
            qconfig = changed(ordinary, settings, options["backend"], options["mode"] == "qat")
        if layer.node in places:
            mapping.set_module_name_object_type_order(*places[layer.node], qconfig)
            changes.functions.append((places[layer.node], settings))
            continue
        for part in layer.parts:
            mapping.set_module_name(part.split("@")[0], qconfig)
            changes.modules.append((part.split("@")[0], settings))


def mapping_default(options):
    return global_mapping(options["backend"], {}, options["mode"] == "qat").global_qconfig
