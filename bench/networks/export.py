"""export.py FOLDER [NAME…]: networks as people have them, written as ONNX, opset 17, batch 1.

Weights are random of a fixed seed, so nothing is downloaded. What an initialization leaves trivial (zero biases, zero
heads, layer scales of 1e-6, norms of scale 1) is made random, and BatchNorm statistics are those of the network's own
activations on noise with the spectrum of photographs: without that every layer is far from what a trained one is.
Needs torch, torchvision and onnx.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
import torchvision
from torch import Tensor, nn

OPSET = 17
IMAGE = (3, 224, 224)


def noise_images(count: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Images of unit variance with the 1/f spectrum of photographs."""
    *_, height, width = shape
    vertical, horizontal = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
    frequency = torch.sqrt(vertical**2 + horizontal**2).clamp_min(1 / max(height, width))
    white = torch.fft.rfft2(torch.randn((count, *shape), generator=generator))
    images = torch.fft.irfft2(white / frequency, s=(height, width))
    return images / images.std(dim=(-2, -1), keepdim=True)


def make_plausible(model: nn.Module, generator: torch.Generator) -> None:
    """Random values for all that an initialization leaves constant."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            # One value everywhere: biases of 0, norms of 1, layer scales of 1e-6, heads of zeros.
            if bool((parameter != parameter.flatten()[0]).any()):
                continue
            with torch.no_grad():
                random = torch.randn(parameter.shape, generator=generator)
                if name == "bias":
                    parameter.copy_(0.1 * random)
                elif isinstance(module, nn.Linear | nn.Conv2d):
                    parameter.copy_(random * parameter[0].numel() ** -0.5)
                else:
                    parameter.copy_((1 + 0.25 * random).abs())


def settle_statistics(model: nn.Module, samples: Tensor) -> None:
    """BatchNorm statistics over the samples, each layer's from inputs that are normalized already."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    with torch.no_grad():
        for module in model.modules():
            module.training = isinstance(module, nn.BatchNorm2d)
        for batch in samples.split(8):
            model(batch)
    model.eval()


class Encoder(nn.Module):
    """BERT's encoder with its pooler: 6 layers, 384 wide, as in MiniLM-L6, on one sequence of 64 tokens."""

    def __init__(self, width: int = 384, layers: int = 6, heads: int = 12, words: int = 8192, length: int = 64) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.positions = nn.Parameter(0.1 * torch.randn(1, length, width))
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(EncoderLayer(width, heads) for _ in range(layers))
        self.pooler = nn.Linear(width, width)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.norm(self.words(input_ids) + self.positions)
        hiding = (1 - attention_mask[:, None, None, :].float()) * -10000.0
        for layer in self.layers:
            hidden = layer(hidden, hiding)
        return hidden, torch.tanh(self.pooler(hidden[:, 0]))


class EncoderLayer(nn.Module):
    """Self-attention written out, as exports of transformers give it, and the feed-forward part, both post-norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attended = nn.Linear(width, width)
        self.attended_norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, hiding: Tensor) -> Tensor:
        batch, length, width = hidden.shape

        def split(values: Tensor) -> Tensor:
            return values.view(batch, length, self.heads, width // self.heads).permute(0, 2, 1, 3)

        query, key, value = split(self.query(hidden)), split(self.key(hidden)), split(self.value(hidden))
        scores = query @ key.transpose(-1, -2) / (width // self.heads) ** 0.5
        context = torch.softmax(scores + hiding, dim=-1) @ value
        merged = self.attended(context.permute(0, 2, 1, 3).reshape(batch, length, width))
        hidden = self.attended_norm(hidden + merged)
        return self.norm(hidden + self.narrow(nn.functional.gelu(self.wide(hidden))))


class Mask(nn.Module):
    """The first half of a DTLN: two recurrent layers and a dense one give a mask for the magnitudes of frames."""

    def __init__(self, recurrent: type[nn.LSTM] | type[nn.GRU], bins: int = 257, width: int = 128) -> None:
        super().__init__()
        self.first = recurrent(bins, width, batch_first=True)
        self.second = recurrent(width, width, batch_first=True)
        self.dense = nn.Linear(width, bins)

    def forward(self, magnitudes: Tensor) -> Tensor:
        hidden, _ = self.first(magnitudes)
        hidden, _ = self.second(hidden)
        return magnitudes * torch.sigmoid(self.dense(hidden))


def image_inputs(count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    return (noise_images(count, IMAGE, generator),)


def token_inputs(count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    # Words are frequent as in texts (Zipf), sequences of any length up to 64.
    ranks = torch.rand(count, 64, generator=generator)
    words = (8192**ranks - 1).long().clamp(0, 8191)
    lengths = torch.randint(12, 65, (count, 1), generator=generator)
    mask = (torch.arange(64)[None] < lengths).long()
    return words * mask, mask


def frame_inputs(count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    # Magnitudes fall with the frequency and come in loud and quiet stretches.
    falling = torch.linspace(0, -3, 257).exp()[None, None]
    loudness = (0.8 * torch.randn(count, 64, 1, generator=generator).cumsum(1) / 4).exp()
    return (torch.randn(count, 64, 257, generator=generator).abs() * falling * loudness,)


Inputs = Callable[[int, torch.Generator], tuple[Tensor, ...]]
# Of torchvision's: ImageNet classifiers under their own names.
TORCHVISION = """resnet18 resnet50 mobilenet_v2 mobilenet_v3_small efficientnet_b0 shufflenet_v2_x1_0 densenet121
convnext_tiny regnet_x_400mf vit_b_16 swin_t""".split()
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Inputs, tuple[str, ...]]] = {
    **{name: (getattr(torchvision.models, name), image_inputs, ("image",)) for name in TORCHVISION},
    "bert_6x384": (Encoder, token_inputs, ("input_ids", "attention_mask")),
    "dtln_lstm": (lambda: Mask(nn.LSTM), frame_inputs, ("magnitudes",)),
    "dtln_gru": (lambda: Mask(nn.GRU), frame_inputs, ("magnitudes",)),
}


def to_onnx(model: nn.Module, example: tuple[Tensor, ...], names: tuple[str, ...]) -> onnx.ModelProto:
    """By tracing: what nearly all networks people have were exported with."""
    buffer = io.BytesIO()
    torch.onnx.export(model, example, buffer, dynamo=False, opset_version=OPSET, input_names=list(names))
    return onnx.load_from_string(buffer.getvalue())


def build(name: str) -> onnx.ModelProto:
    make, inputs, names = NETWORKS[name]
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = make().eval()
    make_plausible(model, generator)
    if inputs is image_inputs:
        settle_statistics(model, noise_images(32, IMAGE, generator))
    return to_onnx(model, inputs(1, generator), names)


def main(folder: str, *names: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names or NETWORKS:
        onnx.save(build(name), Path(folder, f"{name}.onnx"))
        print(name, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
