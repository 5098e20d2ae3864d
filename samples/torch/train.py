#!/usr/bin/env python3
"""Trains the network of the PyTorch sample on the same drawn images as the ONNX sample.

Usage:
    python3 samples/torch/train.py [--out FOLDER] [--epochs N] [--threads N] [--seed N]

Needs torch, numpy and pillow; nothing is downloaded. Writes `shapesnet.pth`, a state_dict, into FOLDER, by default the
folder of this script. The images of calibration and validation are those of the ONNX sample, which its own script wrote.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent


def drawing():
    """The script of the ONNX sample, for its images, its training loop and its accuracy."""
    spec = importlib.util.spec_from_file_location("shapes_train", HERE.parent / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    sys.path.insert(0, str(HERE))
    from shapesnet import build

    shapes = drawing()
    seeds = np.random.SeedSequence(options.seed).spawn(4)
    images, labels = shapes.draw_set(seeds[0], shapes.TRAIN_PER_CLASS)
    test = shapes.draw_set(seeds[1], shapes.TEST_PER_CLASS)
    net = build()
    shapes.train(net, images, labels, options.epochs)
    print(f"fp32 top-1 on {len(test[1])} test images: {shapes.accuracy(net, *test):.2f} %")
    state = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    torch.save(state, options.out / "shapesnet.pth")


if __name__ == "__main__":
    main()
