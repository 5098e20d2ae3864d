"""Mode pt2e: torch.export, then prepare_pt2e and convert_pt2e of torchao.

The converted graph says where integers are, and computes in float between them; so it is what is compared and saved. What
it becomes on int8 kernels is looked at by lowering it, and timed so.
"""

import copy

import torch

from errors import output_errors
from failures import During, Failure
from tensors import copied

# Timing every node of a large model a hundred times would take longer than all the rest.
NODE_RUNS = 15

try:
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    from describe_exported import describe_layers
    from lowered import lower
    from patterns import chains, find_layers, note, without_unused
    from quantizers import RecipeQuantizer
    from script_exported import script_text
    from sidebyside import SideBySide, time_nodes
except ImportError as error:
    raise Failure("torchao", f"mode pt2e needs torchao with prepare_pt2e and a torch that it works with: {error}", "mode") from error


class Exported:
    """`layers`: what the prepared model consists of; `converted`: the int8 model, once there is one."""

    # Of a training, which this mode has not.
    passes = 0

    def __init__(self, loaded, _inputs, example, options):
        self._example = example
        self._options = options
        self._lowered = None
        self.converted = None
        overrides = options.get("overrides") or {}
        self._own = {}
        with During("model", "torch.export"), torch.no_grad():
            exported = export(copy.deepcopy(loaded.module), example)
        if overrides:
            # Names of layers are known only when fused, so this is done twice where there is something to look up.
            plain = self._prepare(copy.deepcopy(exported), loaded.built)
            self._own = {layer.node: _own(layer, overrides, options) for layer in plain if layer.name in overrides}
        self.layers = self._prepare(exported, loaded.built)

    def _prepare(self, exported, built):
        noted = note(exported)
        with During("model", "prepare_pt2e"):
            self._prepared = prepare_pt2e(exported, RecipeQuantizer(self._options["settings"], self._own))
        floats = {node for node, settings in self._own.items() if settings is None}
        return find_layers(noted, chains(self._prepared, floats), built)

    @property
    def fastest(self):
        """What the speed of the int8 model is measured on."""
        return None if self._lowered is None else self._lowered.module

    def observe(self, inputs):
        self._prepared(*copied(inputs))

    def settle(self):
        pass

    def convert(self):
        with During("model", "convert_pt2e"):
            self.converted = convert_pt2e(copy.deepcopy(self._prepared))

    def save(self, path):
        """As an exported program."""
        with During("model", "torch.export.save"), torch.no_grad():
            program = torch.export.export(without_unused(self.converted), tuple(copied(self._example)))
            with open(path, "wb") as file:
                torch.export.save(program, file)

    def analyze(self, samples):
        compared = SideBySide(self._prepared, self.converted, self.layers)
        for identity, inputs in samples:
            compared.add(identity, inputs)
        self._lowered, problem = lower(self.converted, compared.parts, self._example, NODE_RUNS)
        overrides = self._options.get("overrides") or {}
        excluded = {name for name, override in overrides.items() if override.get("quantize") is False}
        fp32 = time_nodes(compared.prepared, self._example, NODE_RUNS)
        layers = describe_layers(compared, excluded, x86.quantizable_ops, self._lowered, fp32)
        lowered = {"problem": problem, "agreement": None if self._lowered is None else self._lowered.agreement}
        return {"layers": layers, "outputs": output_errors(compared), "lowered": lowered}

    def script(self, facts):
        return script_text(self._options, self._own, {**facts, "is_script": False})

    def export(self, _path):
        return "mode pt2e gives a graph of torch.export, which torch's exporter of quantized models does not take; `mode: static` can"


def export(module, example):
    # Strict: the quantizer finds its patterns by what dynamo notes of every operator.
    return torch.export.export(module, tuple(copied(example)), strict=True).module()


def _own(layer, overrides, options):
    override = overrides[layer.name]
    if override.get("quantize") is False:
        return None
    return {**options["settings"], **{key: value for key, value in override.items() if key != "quantize"}}
