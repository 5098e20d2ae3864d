"""One model from loading to the report, as the driver asks for it step by step."""

import copy
import os
import time

import torch
from torch.ao.quantization.quantize_fx import convert_fx

from compare import Comparison, copied, first_tensor, time_nodes
from describe import describe_layers
from eager import convert_eager, prepare_eager
from environment import saturating_engines
from export import export_onnx
from failures import During, Failure
from loaders import loader_rows
from loading import guess_inputs, load_model, load_object
from observers import settle
from prepare import prepare, use_engine
from race import load_contestants, race
from samples import Samples
from script import script_text
from torchscript import OutputComparison, convert_script, prepare_script, script_layers
from training import Distillation
from untrained import untrained

# Timing every node of a large model a hundred times would take longer than all the rest.
NODE_RUNS = 15


class Session:
    def __init__(self, wire):
        self._wire = wire
        self._loaded = None
        self._inputs = []
        self._example = None
        self._prepared = None
        self._converted = None
        self._comparison = None
        self._options = {}
        self._contestants = []
        self._distillation = None
        self._passes = 0
        # Of a training: the int8 model without it.
        self._untrained = None

    def _samples(self, stage, total, before=0):
        """The samples that follow on the wire, with progress after each."""
        return Samples(self._wire, [entry["name"] for entry in self._inputs], stage, total, before)

    @property
    def _is_script(self):
        return self._loaded.kind == "torchscript"

    def do_load(self, model, weights, base, inputs, threads, engine):
        if threads is not None:
            torch.set_num_threads(threads)
        if engine is not None:
            use_engine(engine)
        torch.manual_seed(0)
        self._loaded = load_model(model, weights, base)
        self._inputs = guess_inputs(self._loaded, inputs)
        module = self._loaded.module
        parameters = sum(parameter.numel() for parameter in module.parameters())
        return {
            "kind": self._loaded.kind,
            "files": self._loaded.files,
            "inputs": self._inputs,
            "parameters": parameters,
            "bytes": sum(t.numel() * t.element_size() for t in module.state_dict().values() if hasattr(t, "numel")),
            "threads": torch.get_num_threads(),
            "saturates": saturating_engines(),
        }

    def do_gather(self, reference, base, folder, limit):
        """Writes the samples of the user's loader into `folder`, a file for each; and their classes, where it has any."""
        # Torch works without it; who loads data has it.
        import numpy

        loader, labels, count = load_object(reference, base, "data"), [], 0
        ranks = {entry["name"]: len(entry["shape"]) for entry in self._inputs}
        with During("data", reference):
            for inputs, label in loader_rows(loader, ranks, limit):
                name = f"{count:06d}.npz"
                numpy.savez(os.path.join(folder, name), **dict(zip(ranks, [x.numpy() for x in inputs])))
                count += 1
                if label is not None:
                    labels.append(f"{name}\t{label}\n")
        if count > 0 and len(labels) == count:
            with open(os.path.join(folder, "labels.tsv"), "w", encoding="utf-8") as file:
                file.writelines(labels)
        return {"count": count, "labelled": count > 0 and len(labels) == count}

    def do_prepare(self, options):
        """Takes one sample as the example input."""
        for _, inputs in self._samples(None, 1):
            self._example = inputs
        if self._example is None:
            raise Failure("data", "no sample came for the example input", "calibration.data")
        self._options = options
        model, built = self._loaded.module, self._loaded.built
        if self._is_script:
            self._prepared = prepare_script(model, options)
        elif options["mode"] == "eager":
            self._prepared = prepare_eager(model, options, self._example, built)
        else:
            self._prepared = prepare(model, self._example, options, built)
        with torch.no_grad(), During("model", "The model"):
            outputs = self._loaded.module(*copied(self._example))
        return {
            "layers": [{"name": layer.name, "op": layer.op} for layer in self._prepared.layers],
            "outputs": output_facts(outputs),
        }

    def do_calibrate(self, total):
        module, count = self._prepared.module, 0
        with torch.no_grad(), During("calibration.data", "Calibration"):
            for _, inputs in self._samples("calibrate", total):
                module(*inputs)
                count += 1
        settle(module)
        return {"samples": count}

    def do_train(self, reference, base):
        """Calls the user's function with the prepared model in train mode; it may return another."""
        train = load_object(reference, base, "torch.train")
        with During("torch.train", reference):
            result = train(self._prepared.module.train())
        if isinstance(result, torch.nn.Module):
            self._prepared.module = result
        self._prepared.module.eval()
        return {}

    def do_distill(self, total, rate, epochs):
        """One pass over the samples that follow, of at most `epochs` and one before them."""
        if self._distillation is None:
            torch.manual_seed(0)
            self._distillation = Distillation(self._prepared.module, self._loaded.module, rate, epochs)
        samples = self._samples("train", total * (epochs + 1), total * self._passes)
        self._passes += 1
        with During("calibration.data", "Training"):
            result = self._distillation.run(samples)
        if result["ended"]:
            self._distillation.finish()
        return result

    def do_untrained(self, total):
        """What the same settings give without the training, for :meth:`do_analyze` and :meth:`do_evaluate`."""
        self._untrained = untrained(self._loaded, self._example, self._options, self._samples("convert", total))
        return {}

    def do_convert(self, path):
        """Writes the int8 model as TorchScript to `path`, where there is one."""
        if self._is_script:
            module = self._converted = convert_script(self._prepared)
        elif self._prepared.eager is not None:
            module, self._converted = convert_eager(self._prepared, self._example)
        else:
            with During("model", "convert_fx"):
                module = self._converted = convert_fx(copy.deepcopy(self._prepared.module)).eval()
        if path is None:
            return {"bytes": 0}
        with During("model", "torch.jit.script"), torch.no_grad():
            script = torch.jit.script(module)
            torch.jit.save(script, path)
        return {"bytes": os.path.getsize(path)}

    def do_analyze(self, total):
        if self._is_script:
            comparison = OutputComparison(self._loaded.module, self._converted)
            for identity, inputs in self._samples("analyze", total):
                comparison.add(identity, inputs)
            return {"layers": script_layers(self._converted), "outputs": output_errors(comparison)}
        reference = self._prepared.module.eval()
        reference.apply(torch.ao.quantization.disable_fake_quant)
        reference.apply(torch.ao.quantization.disable_observer)
        self._comparison = comparison = Comparison(reference, self._converted)
        # Training moves the weights in float too, so the outputs are held against the model that was given.
        rivals = [] if self._untrained is None else [self._converted, self._untrained]
        rivals = [OutputComparison(self._loaded.module, model) for model in rivals]
        for identity, inputs in self._samples("analyze", total):
            for one in [comparison, *rivals]:
                one.add(identity, inputs)
        outputs, *others = [output_errors(one) for one in rivals or [comparison]]
        times = (
            time_nodes(comparison.prepared, self._example, True, NODE_RUNS),
            time_nodes(comparison.converted, self._example, False, NODE_RUNS),
        )
        overrides = self._options.get("overrides", {})
        excluded = {name for name, override in overrides.items() if override.get("quantize") is False}
        layers = describe_layers(comparison, self._prepared.layers, excluded, self._options["mode"], times)
        names = {layer.node: layer.name for layer in self._prepared.layers}
        stale = [names.get(pair.chain[0].name, pair.node.name) for pair in comparison.pairs if pair.node in comparison.stale]
        return {"layers": layers, "outputs": outputs, "stale": stale, "untrained": others[0] if others else None}

    def do_evaluate(self, total, without_training=False):
        """Sends the first output of both models for every sample."""
        converted = self._untrained if without_training else self._converted
        with torch.no_grad():
            for identity, inputs in self._samples("evaluate", total):
                with During("model", "The model"):
                    fp32 = first_tensor(self._loaded.module(*copied(inputs)))
                int8 = first_tensor(converted(*inputs))
                self._wire.event("outputs", sample=identity, fp32=as_list(fp32), int8=as_list(int8))
        return {}

    def do_script(self, **facts):
        options = {**self._options, "mode": "torchscript"} if self._is_script else self._options
        return {"script": script_text(options, self._prepared.changes, {**facts, "threads": torch.get_num_threads(), "is_script": self._is_script})}

    def do_export(self, path):
        return {"problem": export_onnx(self._converted, self._example, self._inputs, path)}

    def do_run(self, model):
        """Sends the first output of the loaded or the converted model for every sample."""
        module = self._loaded.module if model == "loaded" else self._converted
        with torch.no_grad():
            for identity, inputs in self._samples(None, 0):
                self._wire.event("ran", sample=identity, output=as_list(first_tensor(module(*inputs))))
        return {}

    def do_contestants(self, models, base, inputs, engine):
        """Loads the models that :meth:`do_race` will time."""
        if engine is not None:
            use_engine(engine)
        self._contestants, self._inputs = load_contestants(models, base, inputs)
        return {"inputs": self._inputs}

    def do_race(self, warmup, runs, threads):
        """Times all contestants on the one sample that follows."""
        example = next(inputs for _, inputs in list(self._samples(None, 1)))

        def progress(done, total):
            self._wire.event("progress", stage="benchmark", done=done, total=total)

        race(self._contestants, example, warmup, runs, threads, progress)
        return {"entries": [{"bytes": one.size(), "times": one.times} for one in self._contestants]}

    def do_time(self, warmup, runs):
        """Milliseconds of both models on the example input, on one thread, alternately."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        models = {"fp32": self._loaded.module, "int8": self._converted}
        times = {name: [] for name in models}
        with torch.no_grad():
            for turn in range(warmup + runs):
                order = list(models) if turn % 2 == 0 else list(reversed(models))
                for name in order:
                    start = time.perf_counter()
                    models[name](*self._example)
                    if turn >= warmup:
                        times[name].append((time.perf_counter() - start) * 1e3)
        torch.set_num_threads(threads)
        return times


def as_list(tensor):
    return None if tensor is None else {"shape": list(tensor.shape), "values": tensor.float().flatten().tolist()}


def output_errors(comparison):
    return [{"index": index, "error": sums.result()} for index, sums in sorted(comparison.outputs.items())]


def output_facts(outputs):
    tensors = [outputs] if isinstance(outputs, torch.Tensor) else list(_tensors_in(outputs))
    return [{"type": str(t.dtype).replace("torch.", ""), "shape": list(t.shape)} for t in tensors]


def _tensors_in(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors_in(item)


