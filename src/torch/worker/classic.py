"""Modes of `torch.ao.quantization`: FX, dynamic, eager, with training, and TorchScript."""

import copy

import torch
from torch.ao.quantization.quantize_fx import convert_fx

from compare import Comparison, time_nodes
from describe import describe_layers
from eager import convert_eager, prepare_eager
from errors import output_errors
from export import export_onnx
from failures import During
from observers import settle
from prepare import prepare
from script_classic import script_text
from scripting import scripted
from torchscript import OutputComparison, convert_script, prepare_script, script_layers
from training import Distillation
from untrained import untrained

# Timing every node of a large model a hundred times would take longer than all the rest.
NODE_RUNS = 15


class Classic:
    """`layers`: what the prepared model consists of; `converted`: the int8 model, once there is one; `untrained`: that without
    its training, where asked for; `passes`: of training."""

    def __init__(self, loaded, inputs, example, options):
        self._loaded = loaded
        self._inputs = inputs
        self._example = example
        self._options = options
        self._is_script = loaded.kind == "torchscript"
        self.converted = None
        self.untrained = None
        self._saved = None
        self._distillation = None
        self.passes = 0
        if self._is_script:
            self._prepared = prepare_script(loaded.module, options)
        elif options["mode"] == "eager":
            self._prepared = prepare_eager(loaded.module, options, example, loaded.built)
        else:
            self._prepared = prepare(loaded.module, example, options, loaded.built)

    @property
    def layers(self):
        return self._prepared.layers

    @property
    def fastest(self):
        """What the speed of the int8 model is measured on."""
        return self.converted

    def observe(self, inputs):
        self._prepared.module(*inputs)

    def settle(self):
        settle(self._prepared.module)

    def train(self, train):
        result = train(self._prepared.module.train())
        if isinstance(result, torch.nn.Module):
            self._prepared.module = result
        self._prepared.module.eval()

    def distill(self, samples, rate, epochs):
        if self._distillation is None:
            torch.manual_seed(0)
            self._distillation = Distillation(self._prepared.module, self._loaded.module, rate, epochs)
        self.passes += 1
        result = self._distillation.run(samples)
        if result["ended"]:
            self._distillation.finish()
        return result

    def convert(self):
        if self._is_script:
            self._saved = self.converted = convert_script(self._prepared)
        elif self._prepared.eager is not None:
            self._saved, self.converted = convert_eager(self._prepared, self._example)
        else:
            with During("model", "convert_fx"):
                self._saved = self.converted = convert_fx(copy.deepcopy(self._prepared.module)).eval()

    def convert_untrained(self, samples):
        self.untrained = untrained(self._loaded, self._example, self._options, samples)

    def save(self, path):
        """As TorchScript."""
        with During("model", "torch.jit.script"), torch.no_grad():
            torch.jit.save(scripted(self._saved), path)

    def analyze(self, samples):
        if self._is_script:
            comparison = OutputComparison(self._loaded.module, self.converted)
            for identity, inputs in samples:
                comparison.add(identity, inputs)
            return {"layers": script_layers(self.converted), "outputs": output_errors(comparison)}
        reference = self._prepared.module.eval()
        reference.apply(torch.ao.quantization.disable_fake_quant)
        reference.apply(torch.ao.quantization.disable_observer)
        comparison = Comparison(reference, self.converted)
        # Training moves the weights in float too, so the outputs are held against the model that was given.
        rivals = [] if self.untrained is None else [self.converted, self.untrained]
        rivals = [OutputComparison(self._loaded.module, model) for model in rivals]
        for identity, inputs in samples:
            for one in [comparison, *rivals]:
                one.add(identity, inputs)
        outputs, *others = [output_errors(one) for one in rivals or [comparison]]
        times = (
            time_nodes(comparison.prepared, self._example, True, NODE_RUNS),
            time_nodes(comparison.converted, self._example, False, NODE_RUNS),
        )
        overrides = self._options.get("overrides", {})
        excluded = {name for name, override in overrides.items() if override.get("quantize") is False}
        layers = describe_layers(comparison, self.layers, excluded, self._options["mode"], times)
        names = {layer.node: layer.name for layer in self.layers}
        stale = [names.get(pair.chain[0].name, pair.node.name) for pair in comparison.pairs if pair.node in comparison.stale]
        return {"layers": layers, "outputs": outputs, "stale": stale, "untrained": others[0] if others else None}

    def script(self, facts):
        options = {**self._options, "mode": "torchscript"} if self._is_script else self._options
        return script_text(options, self._prepared.changes, {**facts, "is_script": self._is_script})

    def export(self, path):
        return export_onnx(self.converted, self._example, self._inputs, path)
