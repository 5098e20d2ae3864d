"""What the layers of a traced model are called: the paths of modules, and for functions their scope and node name."""

import re

import torch
from torch import fx, nn
from torch.ao.quantization import quantize_fx

from failures import Failure, is_user_file


class Layer:
    """One node of the fused graph. `nodes`: names in the graph of all that is fused into it, the main one first."""

    def __init__(self, name, op, scope, node, source, is_module):
        self.name = name
        self.is_module = is_module
        self.op = op
        self.scope = scope
        self.node = node
        self.fused = []
        self.parts = [name]
        self.source = source


def trace(module, leaves):
    """The graph of the model as FX mode sees it, modules of `leaves` (paths) unopened; and the scope of every node."""
    tracer = quantize_fx.QuantizationTracer(list(leaves), [])
    tracer.record_stack_traces = True
    try:
        graph = tracer.trace(module)
    except Exception as error:
        raise Failure("untraceable", f"FX cannot trace the model: {str(error).strip()}", "model") from error
    scopes = {name: scope[0] for name, scope in tracer.node_name_to_scope.items()}
    return fx.GraphModule(module, graph), scopes


def find_layers(traced, scopes, kept, built):
    """The layers in the order of the graph. `kept`: names of the nodes that survive fusion, as `prepare_fx` left them."""
    layers, by_node, calls = [], {}, {}
    for node in traced.graph.nodes:
        if node.op in ("placeholder", "output", "get_attr"):
            continue
        name, op = _name_of(node, traced, scopes, calls)
        if node.name in kept:
            layer = Layer(name, op, _scope_of(node, name, scopes), node.name, _source_of(node, built), node.op == "call_module")
            layers.append(layer)
            by_node[node.name] = layer
        else:
            main = by_node.get(node.args[0].name) if node.args and isinstance(node.args[0], fx.Node) else None
            if main is not None:
                main.fused.append(op)
                main.parts.append(name)
                by_node[node.name] = main
    return layers


def _name_of(node, traced, scopes, calls):
    if node.op == "call_module":
        calls[node.target] = count = calls.get(node.target, 0) + 1
        op = type(traced.get_submodule(node.target)).__name__
        # A module that is called again is another layer of the graph.
        return (node.target if count == 1 else f"{node.target}@{count}"), op
    scope = scopes.get(node.name, "")
    return (f"{scope}.{node.name}" if scope else node.name), op_name(node.target)


def op_name(target):
    """`add`, `relu`, `view`: of a function, an operator of torch, or a method."""
    if isinstance(target, str):
        return target
    name = getattr(target, "__name__", None) or str(target)
    return re.sub(r"^_+", "", name.split(".")[-1])


def _scope_of(node, name, scopes):
    path = name.rsplit(".", 1)[0] if node.op == "call_module" and "." in name else scopes.get(node.name, "")
    return "" if node.op == "call_module" and "." not in name else path


_OWN = ("layers.py", "__main__.py", "runpy.py")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def _source_of(node, built):
    """Where the user's code calls the layer, and for a module where it builds it."""
    frames = [(file, int(line)) for file, line in _FRAME.findall(node.stack_trace or "")]
    # Old versions of torch list the innermost frame first, down to ours; new ones end with the innermost.
    if frames and frames[-1][0].endswith(_OWN):
        frames.reverse()
    called = [{"file": file, "line": line} for file, line in frames if is_user_file(file)]
    source = {}
    if called:
        source["called"] = called[-1]
    if node.op == "call_module" and node.target in built:
        source["built"] = built[node.target]
    return source or None


class KeepFloat(nn.Module):
    """Passes its input on. Between two operators it hides them from the rewriting that would run both in int8."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


# Their quantized form needs a weight observer, so without a qconfig they do stay float; hiding their output would only
# keep BatchNorm and ReLU from being fused into them.
_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def hide_from_lowering(traced, nodes):
    """Shuts the named nodes off from their users by :class:`KeepFloat`.

    `convert_fx` replaces dequantize -> operator -> quantize by a quantized operator wherever it finds that, also where
    no qconfig asked for it. An identity between operator and quantize breaks the pattern.
    """
    hidden = 0
    for node in list(traced.graph.nodes):
        if node.name not in nodes or node.op not in ("call_module", "call_function", "call_method"):
            continue
        if node.op == "call_module" and isinstance(traced.get_submodule(node.target), _WEIGHTED):
            continue
        path = f"keep_float_{hidden}"
        hidden += 1
        traced.add_submodule(path, KeepFloat())
        with traced.graph.inserting_after(node):
            gate = traced.graph.call_module(path, (node,))
        node.replace_all_uses_with(gate, delete_user_cb=lambda user, gate=gate: user is not gate)
    traced.recompile()

