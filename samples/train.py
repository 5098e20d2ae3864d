#!/usr/bin/env python3
"""Draws the images of the sample, trains its network and exports it to ONNX.

Usage:
    python3 samples/train.py [--out FOLDER] [--epochs N] [--threads N] [--seed N]

Needs torch (made with 1.13 on the CPU), numpy, pillow and onnx; nothing is downloaded. One thread takes about two
minutes. Writes into FOLDER, by default the folder of this script:

    shapes.onnx                 the network, BatchNormalization kept apart from the convolutions
    classes.txt                 one class name per line; the line number from 0 is the class index
    images/calibration/*.png    200 images, 20 of each class in random order
    images/validation/*.png     300 images, 30 of each class in random order
    images/labels.tsv           file<TAB>class index of the validation images

The network sees RGB pixels as pixel / 127.5 - 1, float32 [batch, 3, 48, 48], and gives one logit per class.
The same seed, torch build and thread count give the same files.
"""

import argparse
import math
import re
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

SIZE = 48  # pixels a side
SUPERSAMPLING = 4  # shapes are drawn this much larger, then averaged down: smooth edges at any angle
GRAY_STEP = 8  # pixels are rounded to multiples of this, so that noisy PNG files stay small

TRAIN_PER_CLASS = 1500
TEST_PER_CLASS = 200
CALIBRATION_PER_CLASS = 20
VALIDATION_PER_CLASS = 30
BATCH = 64

# About how much larger one channel is made for one layer after training (see `unbalance_channels`).
IMBALANCE = 16.0


# --- Images ---------------------------------------------------------------------------------------------------------


def ngon(corners):
    """Corners of a regular polygon in the unit circle, [corners, 2]."""
    angle = 2 * math.pi * np.arange(corners) / corners
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def star():
    """Five points, the inner corners at 0.45 of the outer radius."""
    radius = np.where(np.arange(10) % 2 == 0, 1.0, 0.45)
    return ngon(10) * radius[:, None]


def cross():
    """A plus sign with arms a third of its width."""
    a = 0.33
    return np.array(
        [(a, 1), (a, a), (1, a), (1, -a), (a, -a), (a, -1), (-a, -1), (-a, -a), (-1, -a), (-1, a), (-a, a), (-a, 1)]
    )


def heart():
    """The curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, brought into the unit square."""
    t = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x / 16, (y + 2.5) / 16], axis=1)


# Name -> (filled outline, outline cut out of it or None), both [corners, 2] about the origin.
CLASSES = {
    "circle": (ngon(60), None),
    "ring": (ngon(60), ngon(60) * 0.6),
    "crescent": (ngon(60), ngon(60) * 0.85 + np.array([0.5, 0.0])),
    "triangle": (ngon(3) * 1.1, None),
    "square": (ngon(4) * 1.05, None),
    "pentagon": (ngon(5), None),
    "hexagon": (ngon(6), None),
    "star": (star(), None),
    "cross": (cross(), None),
    "heart": (heart(), None),
}


def smooth_background(rng):
    """A colour field that varies slowly: 3x3 random colours, enlarged. float [SIZE, SIZE, 3] in 0..255."""
    colours = rng.integers(0, 256, size=3) + rng.normal(0, 30, size=(3, 3, 3))
    small = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
    return np.asarray(small.resize((SIZE, SIZE), Image.BICUBIC), dtype=np.float32)


def coverage(*polygons_and_fills):
    """Share of each pixel covered by polygons painted in order with fill 1 or 0. float [SIZE, SIZE, 1] in 0..1."""
    side = SIZE * SUPERSAMPLING
    canvas = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(canvas)
    for polygon, fill in polygons_and_fills:
        draw.polygon([tuple(point) for point in polygon * SUPERSAMPLING], fill=255 * fill)
    return np.asarray(canvas.resize((SIZE, SIZE), Image.BOX), dtype=np.float32)[..., None] / 255


def contrasting_colour(rng, other):
    """A random colour at least 120 away from `other` in RGB distance."""
    while True:
        colour = rng.integers(0, 256, size=3).astype(np.float32)
        if np.linalg.norm(colour - other) > 120:
            return colour


def draw_image(rng, name):
    """One picture of the class: random place, size, angle, stretch, colours, bar, noise. uint8 [48, 48, 3]."""
    outline, hole = CLASSES[name]
    angle = rng.uniform(0, 2 * math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    stretch = np.diag([1.0, rng.uniform(0.82, 1.0)])
    place = turn @ stretch * rng.uniform(10, 18)
    centre = SIZE / 2 + rng.uniform(-6, 6, size=2)

    image = smooth_background(rng)
    layers = [(outline @ place.T + centre, 1)]
    if hole is not None:
        layers.append((hole @ place.T + centre, 0))
    cover = coverage(*layers)
    # The shape is shaded too, so that its colour alone tells nothing.
    shade = np.linspace(-1, 1, SIZE, dtype=np.float32)[:, None, None] * rng.uniform(-30, 30)
    image = image * (1 - cover) + (contrasting_colour(rng, image.mean(axis=(0, 1))) + shade) * cover

    if rng.random() < 0.5:  # a bar across the picture hides a part of it
        direction = rng.uniform(0, 2 * math.pi)
        along = np.array([math.cos(direction), math.sin(direction)])
        across = np.array([-along[1], along[0]]) * rng.uniform(0.8, 2.2)
        middle = SIZE / 2 + rng.uniform(-12, 12, size=2)
        ends = [middle - along * 80 - across, middle - along * 80 + across]
        ends += [middle + along * 80 + across, middle + along * 80 - across]
        bar = coverage((np.array(ends), 1))
        image = image * (1 - bar) + rng.integers(0, 256, size=3) * bar

    image = image + rng.normal(0, rng.uniform(3, 18), size=image.shape)
    rounded = np.round(image / GRAY_STEP) * GRAY_STEP
    return np.clip(rounded, 0, 255).astype(np.uint8)


def draw_set(seed, per_class):
    """A balanced, shuffled set: images uint8 [n, 48, 48, 3], class indices int64 [n]."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(CLASSES)), per_class))
    names = list(CLASSES)
    return np.stack([draw_image(rng, names[label]) for label in labels]), labels


def preprocess(images):
    """uint8 [n, 48, 48, 3] -> float32 [n, 3, 48, 48]: pixel / 127.5 - 1, what the recipe declares."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


# --- Network --------------------------------------------------------------------------------------------------------


def conv_bn(inputs, outputs, kernel, stride=1, groups=1):
    """Convolution without bias, then BatchNorm: what a quantizer folds into one layer."""
    return (
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Stem(nn.Module):
    """The ordinary first convolution: [n, 3, 48, 48] -> [n, outputs, 24, 24]."""

    def __init__(self, outputs):
        super().__init__()
        self.conv, self.bn = conv_bn(3, outputs, kernel=3, stride=2)
        self.act = nn.ReLU6()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Separable(nn.Module):
    """Depthwise 3x3, then pointwise 1x1, each with BatchNorm and an activation; adds its input where `residual`."""

    def __init__(self, inputs, outputs, stride=1, middle=None, last=None, residual=False):
        super().__init__()
        self.depthwise, self.depthwise_bn = conv_bn(inputs, inputs, kernel=3, stride=stride, groups=inputs)
        self.depthwise_act = middle if middle is not None else nn.ReLU6()
        self.pointwise, self.pointwise_bn = conv_bn(inputs, outputs, kernel=1)
        self.pointwise_act = last if last is not None else nn.ReLU6()
        self.residual = residual

    def forward(self, x):
        y = self.depthwise_act(self.depthwise_bn(self.depthwise(x)))
        y = self.pointwise_bn(self.pointwise(y))
        return x + y if self.residual else self.pointwise_act(y)


class Head(nn.Module):
    """Pointwise convolution with hard-swish, global average pool, linear classifier."""

    def __init__(self, inputs, features, classes):
        super().__init__()
        self.conv, self.bn = conv_bn(inputs, features, kernel=1)
        self.act = nn.Hardswish()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(features, classes)

    def forward(self, x):
        return self.classifier(self.flatten(self.pool(self.act(self.bn(self.conv(x))))))


class ShapesNet(nn.Module):
    """float32 [n, 3, 48, 48] -> logits [n, classes]."""

    def __init__(self, classes):
        super().__init__()
        self.stem = Stem(16)
        # The PReLU feeds nothing but the depthwise convolution of stage2/0: `unbalance_channels` needs that.
        self.stage1 = nn.Sequential(Separable(16, 24, last=nn.PReLU(24)))
        self.stage2 = nn.Sequential(Separable(24, 48, stride=2), Separable(48, 48, residual=True))
        self.stage3 = nn.Sequential(Separable(48, 96, stride=2), Separable(96, 96, residual=True))
        self.head = Head(96, 128, classes)

    def forward(self, x):
        return self.head(self.stage3(self.stage2(self.stage1(self.stem(x)))))


# --- Training -------------------------------------------------------------------------------------------------------


def turned_and_flipped(batch):
    """Each batch under one of the eight symmetries of the square: new views of the same classes, for free."""
    batch = torch.rot90(batch, int(torch.randint(4, ())), dims=(2, 3))
    batch = batch.flip(3) if torch.rand(()) < 0.5 else batch
    return batch.contiguous(memory_format=torch.channels_last)


def train(net, images, labels, epochs):
    """AdamW with one cosine-shaped learning-rate cycle on the cross entropy."""
    net.to(memory_format=torch.channels_last)  # depthwise convolutions train twice as fast in it
    inputs, targets = preprocess(images), torch.from_numpy(labels)
    steps = epochs * (len(inputs) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps, pct_start=0.15)
    net.train()
    for epoch in range(epochs):
        start, losses = time.time(), []
        for chosen in torch.randperm(len(inputs))[: len(inputs) // BATCH * BATCH].view(-1, BATCH):
            logits = net(turned_and_flipped(inputs[chosen]))
            loss = nn.functional.cross_entropy(logits, targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1:2}/{epochs}  loss {np.mean(losses):.3f}  {time.time() - start:.1f} s", flush=True)
    net.eval()


@torch.no_grad()
def accuracy(net, images, labels):
    """Top-1 in percent."""
    logits = torch.cat([net(batch) for batch in preprocess(images).split(250)])
    return 100 * (logits.argmax(1).numpy() == labels).mean()


@torch.no_grad()
def unbalance_channels(bn, prelu, depthwise, factor):
    """Makes the input of `depthwise` hard to quantize, without changing what the network computes.

    For BatchNorm -> PReLU -> depthwise convolution, and a channel with slope s > 0, both forms are the same function:

        prelu(x, s) = -s * prelu(-x, 1 / s)

    So the channel's gamma and beta change their sign, its slope becomes 1 / s, and the depthwise kernel that reads it
    is multiplied by -s. The channel taken is the one with s nearest to 1 / `factor`. Nothing changes but rounding, yet
    the channel leaves the PReLU 1 / s times larger, and the one int8 scale of that tensor follows it: the other
    channels are left with a handful of levels. Scales per channel do not help, they exist for weights alone.

    It imitates what is found in networks trained with weight decay off, and after BatchNorm folding: channel ranges
    that differ by an order of magnitude or more between equivalent forms of one function (M. Nagel et al., "Data-Free
    Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 3.1, and its cross-layer
    equalization as the way back).

    Returns the channel and its growth 1 / s.
    """
    channel = int((prelu.weight - 1 / factor).abs().argmin())
    slope = float(prelu.weight[channel])
    assert slope > 0, f"the identity needs a positive slope, channel {channel} has {slope}"
    bn.weight[channel] *= -1
    bn.bias[channel] *= -1
    prelu.weight[channel] = 1 / slope
    depthwise.weight[channel] *= -slope
    return channel, 1 / slope


# --- Export ---------------------------------------------------------------------------------------------------------


def readable_names(model, parameters):
    """Renames /stage2/stage2.0/depthwise/Conv to /stage2/0/depthwise/Conv, tensors alike, and copied parameters.

    Folding gives a changed parameter (the slopes of PReLU, reshaped) a name like onnx::PRelu_131; it gets its own name
    back, which is the one name of `parameters` that the file lacks.
    """

    def short(name):
        return re.sub(r"(?<=/)(\w+)/\1\.(\d+)(?=/)", r"\1/\2", name)

    present = {tensor.name for tensor in model.graph.initializer}
    (folded,) = (name for name in present if name.startswith("onnx::"))
    (missing,) = (name for name in parameters if name not in present)
    for tensor in model.graph.initializer:
        tensor.name = missing if tensor.name == folded else tensor.name
    for node in model.graph.node:
        node.name = short(node.name)
        node.input[:] = [missing if name == folded else short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]


def export(net, path):
    """Writes the ONNX file: opset 17, any batch size, BatchNormalization kept, nodes named by their scope."""
    import onnx  # only here, so that others can draw and train without it

    with warnings.catch_warnings():
        # Folding is only dangerous for a net in training mode; this one is in eval mode.
        warnings.filterwarnings("ignore", message=".*constant folding be turned off.*")
        torch.onnx.export(
            net,
            torch.zeros(1, 3, SIZE, SIZE),
            str(path),
            opset_version=17,
            training=torch.onnx.TrainingMode.PRESERVE,  # the mode that does not fold BatchNorm into Conv
            do_constant_folding=True,  # the slopes of PReLU in their final shape
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        )
    model = onnx.load(str(path))
    readable_names(model, [name for name, _ in net.named_parameters()])
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def write_images(folder, images):
    """PNG files 000.png, 001.png, ...; returns their names. What lay there before is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = [f"{index:03}.png" for index in range(len(images))]
    for name, image in zip(names, images):
        Image.fromarray(image).save(folder / name, optimize=True)
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.use_deterministic_algorithms(True)

    started = time.time()
    seeds = np.random.SeedSequence(options.seed).spawn(4)
    sizes = (TRAIN_PER_CLASS, TEST_PER_CLASS, CALIBRATION_PER_CLASS, VALIDATION_PER_CLASS)
    training, test, calibration, validation = (draw_set(seed, size) for seed, size in zip(seeds, sizes))
    print(f"drew {sum(sizes) * len(CLASSES)} images in {time.time() - started:.0f} s")

    net = ShapesNet(len(CLASSES))
    train(net, *training, options.epochs)
    print(f"fp32 top-1 on {len(test[1])} test images: {accuracy(net, *test):.2f} %")
    print(f"fp32 top-1 on {len(validation[1])} validation images: {accuracy(net, *validation):.2f} %")

    images = preprocess(validation[0][:50])
    before = net(images)
    stage1, stage2 = net.stage1[0], net.stage2[0]
    channel, growth = unbalance_channels(stage1.pointwise_bn, stage1.pointwise_act, stage2.depthwise, IMBALANCE)
    difference = float((net(images) - before).abs().max())
    assert difference < 1e-3, f"the function changed by {difference}"
    print(f"input channel {channel} of stage2/0/depthwise: {growth:.1f} times larger, logits differ {difference:.0e}")

    options.out.mkdir(parents=True, exist_ok=True)
    export(net, options.out / "shapes.onnx")
    write_images(options.out / "images" / "calibration", calibration[0])
    names = write_images(options.out / "images" / "validation", validation[0])
    rows = [f"{name}\t{label}\n" for name, label in zip(names, validation[1])]
    (options.out / "images" / "labels.tsv").write_text("".join(rows))
    (options.out / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    print(f"done in {time.time() - started:.0f} s")


if __name__ == "__main__":
    main()
