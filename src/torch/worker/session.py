"""One model from loading to the report, as the driver asks for it step by step."""

import os
import time

import torch

from environment import saturating_engines, use_engine
from export import export_float
from failures import During, Failure
from loaders import loader_rows
from loading import guess_inputs, load_model, load_object
from race import load_contestants, race
from samples import Samples
from tensors import copied, first_tensor, tensors_in
from twins import replace_by_twins, twins_in


class Session:
    def __init__(self, wire):
        self._wire = wire
        self._loaded = None
        self._inputs = []
        # The code of those that took a module's place, by path.
        self._twins = {}
        self._example = None
        # How the chosen mode prepares, converts and compares: `Classic` or `Exported`.
        self._way = None
        self._contestants = []

    def _samples(self, stage, total, before=0):
        """The samples that follow on the wire, with progress after each."""
        return Samples(self._wire, [entry["name"] for entry in self._inputs], stage, total, before)

    def do_load(self, model, weights, base, inputs, threads, engine, twins=()):
        if threads is not None:
            torch.set_num_threads(threads)
        if engine is not None:
            use_engine(engine)
        torch.manual_seed(0)
        self._loaded = load_model(model, weights, base)
        self._twins = replace_by_twins(self._loaded.module, twins)
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
            "twins": twins_in(module),
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
        self._way = way_of(options["mode"])(self._loaded, self._inputs, self._example, options)
        with torch.no_grad(), During("model", "The model"):
            outputs = self._loaded.module(*copied(self._example))
        return {
            "layers": [{"name": layer.name, "op": layer.op} for layer in self._way.layers],
            "outputs": output_facts(outputs),
        }

    def do_calibrate(self, total):
        count = 0
        with torch.no_grad(), During("calibration.data", "Calibration"):
            for _, inputs in self._samples("calibrate", total):
                self._way.observe(inputs)
                count += 1
        self._way.settle()
        return {"samples": count}

    def do_train(self, reference, base):
        """Calls the user's function with the prepared model in train mode; it may return another."""
        train = load_object(reference, base, "torch.train")
        with During("torch.train", reference):
            self._way.train(train)
        return {}

    def do_distill(self, total, rate, epochs):
        """One pass over the samples that follow, of at most `epochs` and one before them."""
        samples = self._samples("train", total * (epochs + 1), total * self._way.passes)
        with During("calibration.data", "Training"):
            return self._way.distill(samples, rate, epochs)

    def do_untrained(self, total):
        """What the same settings give without the training, for :meth:`do_analyze` and :meth:`do_evaluate`."""
        self._way.convert_untrained(self._samples("convert", total))
        return {}

    def do_convert(self, path):
        """Writes the int8 model to `path`, where there is one."""
        self._way.convert()
        if path is None:
            return {"bytes": 0}
        self._way.save(path)
        return {"bytes": os.path.getsize(path)}

    def do_analyze(self, total):
        return self._way.analyze(self._samples("analyze", total))

    def do_evaluate(self, total, without_training=False):
        """Sends the first output of both models for every sample."""
        converted = self._way.untrained if without_training else self._way.converted
        with torch.no_grad():
            for identity, inputs in self._samples("evaluate", total):
                with During("model", "The model"):
                    fp32 = first_tensor(self._loaded.module(*copied(inputs)))
                int8 = first_tensor(converted(*inputs))
                self._wire.event("outputs", sample=identity, fp32=as_list(fp32), int8=as_list(int8))
        return {}

    def do_script(self, **facts):
        return {"script": self._way.script({**facts, "threads": torch.get_num_threads(), "twins": self._twins})}

    def do_export(self, path):
        return {"problem": self._way.export(path)}

    def do_export_float(self, path):
        """Writes the loaded model to `path`, traced on the one sample that follows."""
        example = next((inputs for _, inputs in list(self._samples(None, 1))), None)
        if example is None:
            raise Failure("data", "no sample came for the example input", "calibration.data")
        # A model that fails by itself says where; the exporter would not.
        with torch.no_grad(), During("model", "The model"):
            self._loaded.module(*copied(example))
        return export_float(self._loaded.module, copied(example), self._inputs, path)

    def do_run(self, model):
        """Sends the first output of the loaded or the converted model for every sample."""
        module = self._loaded.module if model == "loaded" else self._way.converted
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
        """Milliseconds of both models on the example input, on one thread, alternately; None where no kernels are in int8."""
        if self._way.fastest is None:
            return None
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        models = {"fp32": self._loaded.module, "int8": self._way.fastest}
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


def way_of(mode):
    # Each needs packages that the other does without.
    if mode == "pt2e":
        from exported import Exported

        return Exported
    from classic import Classic

    return Classic


def as_list(tensor):
    return None if tensor is None else {"shape": list(tensor.shape), "values": tensor.float().flatten().tolist()}


def output_facts(outputs):
    return [{"type": str(t.dtype).replace("torch.", ""), "shape": list(t.shape)} for t in tensors_in(outputs)]
