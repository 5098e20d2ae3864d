"""Times models against each other, in turns, so that all meet the same machine."""

import os
import time

import torch

from failures import During
from loading import guess_inputs, load_model


class Contestant:
    def __init__(self, name, loaded):
        self.name = name
        self.module = loaded.module
        self.kind = loaded.kind
        self.files = loaded.files
        self.times = []

    def size(self):
        """Bytes of a model file; of a module from Python, those of its parameters and buffers."""
        if self.kind != "module":
            return os.path.getsize(self.files[0])
        return sum(t.numel() * t.element_size() for t in self.module.state_dict().values() if hasattr(t, "numel"))


def load_contestants(models, base, inputs):
    """`models`: [{model, weights}]. The inputs are those of the first, since int8 TorchScript does not tell its own."""
    loaded = [load_model(entry["model"], entry["weights"], base) for entry in models]
    described = guess_inputs(loaded[0], inputs)
    return [Contestant(entry["model"], one) for entry, one in zip(models, loaded)], described


def race(contestants, example, warmup, runs, threads, progress):
    """Milliseconds of every timed round, in `times` of each contestant."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for one in contestants:
            if one.kind == "exported":
                # Not every torch has what this needs.
                from lowered import lower_graph

                with During("model", f"Lowering {one.name} to int8 kernels"):
                    one.module = lower_graph(one.module, example)
        with torch.no_grad():
            for turn in range(warmup + runs):
                # Each second round goes backwards, so that no model always follows the same one.
                for one in contestants if turn % 2 == 0 else reversed(contestants):
                    with During("model", one.name):
                        start = time.perf_counter()
                        one.module(*example)
                        spent = (time.perf_counter() - start) * 1e3
                    if turn >= warmup:
                        one.times.append(spent)
                progress(turn + 1, warmup + runs)
    finally:
        torch.set_num_threads(before)
