"""The network of the PyTorch sample: a small residual classifier of drawn shapes with the activations that quantizers
treat differently. `build` is what the recipe names; it needs nothing but torch."""

import torch
from torch import nn


def conv_bn(inputs, outputs, kernel, stride=1, groups=1):
    """Convolution without bias, then BatchNorm: what a quantizer folds into one layer."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Block(nn.Module):
    """Two convolutions beside a shortcut, ReLU after the sum."""

    def __init__(self, inputs, outputs, stride, middle):
        super().__init__()
        self.conv1 = conv_bn(inputs, outputs, 3, stride)
        self.middle = middle
        self.conv2 = conv_bn(outputs, outputs, 3)
        self.shortcut = conv_bn(inputs, outputs, 1, stride) if stride > 1 or inputs != outputs else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, x):
        y = self.conv2(self.middle(self.conv1(x)))
        return self.relu(y + self.shortcut(x))


class ShapesNet(nn.Module):
    """float32 [n, 3, 48, 48] -> logits [n, 10]."""

    def __init__(self, classes=10):
        super().__init__()
        self.stem = conv_bn(3, 16, 3, stride=2)
        self.stem_act = nn.ReLU6()
        self.stage1 = Block(16, 24, 1, nn.PReLU(24))
        self.stage2 = Block(24, 48, 2, nn.ReLU6())
        self.stage3 = Block(48, 64, 2, nn.Hardswish())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(64, classes)

    def forward(self, x):
        x = self.stem_act(self.stem(x))
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.classifier(torch.flatten(self.pool(x), 1))


def build():
    return ShapesNet()
