"""Judges models by onnxruntime in Python, which shares no code with Quantscope: errors and times.

judge.py errors REFERENCE SAMPLES.npz MODEL…   SQNR of the worst output of each model, in dB, pooled over all samples
judge.py times SAMPLES.npz SECONDS MODEL…      milliseconds of blocks of runs, the models in turns, one thread
"""

import json
import sys
import time

import numpy as np
import onnxruntime as ort

from samples import Samples

ROUNDS = 15


def opened(model: str, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def errors(reference: str, samples_file: str, *models: str) -> list[dict]:
    """A failure is a result like another: the runtime may refuse a model."""
    samples = Samples(samples_file, reference)
    exact = opened(reference, 1)
    expected = [exact.run(None, feeds) for feeds in (samples[i] for i in range(len(samples)))]
    return [judged(model, samples, expected) for model in models]


def judged(model: str, samples: Samples, expected: list[list[np.ndarray]]) -> dict:
    try:
        session = opened(model, 1)
        signal, noise = (np.zeros(len(expected[0])) for _ in range(2))
        for i, wanted in enumerate(expected):
            for k, (exact, got) in enumerate(zip(wanted, session.run(None, samples[i]), strict=True)):
                if exact.dtype.kind == "f":
                    one, other = exact.astype(np.float64), got.astype(np.float64)
                    signal[k] += np.sum(one**2)
                    noise[k] += np.sum((one - other) ** 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            sqnr = [float(10 * np.log10(s / n)) for s, n in zip(signal, noise, strict=True) if s > 0 and n > 0]
        return {"sqnr": min(sqnr, default=None), "outputs": sqnr}
    except Exception as error:
        return {"error": str(error)[:300]}


def times(samples_file: str, seconds: str, *models: str) -> list[list[float]]:
    """For each model the median time of a run in each block. Blocks are in turns, so that all share what disturbs."""
    sessions = [opened(model, 1) for model in models]
    feeds = Samples(samples_file, models[0])[0]
    single = []
    for session in sessions:
        session.run(None, feeds)
        start = time.perf_counter()
        session.run(None, feeds)
        single.append(time.perf_counter() - start)
    share = float(seconds) / ROUNDS / len(models)
    blocks: list[list[float]] = [[] for _ in models]
    for turn in range(ROUNDS):
        for k in ((turn + i) % len(models) for i in range(len(models))):
            runs = max(3, int(share / single[k]))
            took = [timed(sessions[k], feeds) for _ in range(runs + 1)]
            # The first run of a block finds the caches full of another model.
            blocks[k].append(float(np.median(took[1:])))
    return blocks


def timed(session: ort.InferenceSession, feeds: dict) -> float:
    start = time.perf_counter()
    session.run(None, feeds)
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    print(json.dumps({"errors": errors, "times": times}[sys.argv[1]](*sys.argv[2:])))
