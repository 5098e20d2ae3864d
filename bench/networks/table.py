"""Which networks are measured, where their files are, and what they are fed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inputs import Images, Inputs, file_bytes, random_frames, random_tokens, sorting, speech, tokens, windows

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]

# ImageNet's mean and deviation, in pixels, as torchvision's and PaddleOCR's networks want them.
IMAGENET = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
CLASSIFIERS = [
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "shufflenet_v2_x1_0",
    "densenet121",
    "convnext_tiny",
    "regnet_x_400mf",
    "vit_b_16",
    "swin_t",
]


@dataclass(frozen=True)
class Network:
    name: str
    file: Path
    inputs: Inputs


def networks(generated: Path, data: Path, packages: Path) -> Iterator[Network]:
    """All whose file is there. `packages` holds unpacked wheels."""
    photographs = data / "images/imagenet"

    def images(name: str, folder: Path = photographs, size: tuple[int, int] = (224, 224), **rest: object) -> Images:
        return Images(folder, name, size, **rest)

    def shared(file: str, inputs: Inputs) -> Network:
        return Network(file, data / f"models/{file}.onnx", inputs)

    def packaged(name: str, pattern: str, inputs: Inputs) -> Iterator[Network]:
        yield from (Network(name, file, inputs) for file in sorted(packages.rglob(pattern))[:1])

    def found() -> Iterator[Network]:
        for name in CLASSIFIERS:
            yield Network(name, generated / f"{name}.onnx", images("image", **IMAGENET))
        yield Network("bert_6x384", generated / "bert_6x384.onnx", random_tokens(8192))
        yield Network("dtln_lstm", generated / "dtln_lstm.onnx", random_frames("magnitudes"))
        yield Network("dtln_gru", generated / "dtln_gru.onnx", random_frames("magnitudes"))

        caffe = {"color": "BGR", "mean": (104, 117, 123)}
        yield shared("squeezenet", images("data_0", **caffe))
        yield shared("squeezenet_fp16", images("data_0", dtype=np.float16, **caffe))
        yield shared("mobilenetv1_025_128", images("input", size=(128, 128), mean=127.5, std=127.5))
        yield shared("resnet8_cifar10", images("input", data / "images/cifar10", (32, 32)))
        yield shared("mnist", images("Input3", data / "images/mnist", (28, 28), color="L"))
        faces, scenes = data / "images/faces", data / "images/scenes"
        yield shared("ultraface_rfb320", images("input", faces, (320, 240), mean=127, std=128, crops=16))
        yield shared("fastestdet", images("input.1", scenes, (352, 352), color="BGR", std=255, crops=64))
        yield shared("portrait_sinet", images("data", faces, (320, 320), mean=127.5, std=127.5, crops=16))
        yield shared("super_resolution_core_op18", images("input", color="Y", std=255))
        yield shared("gpt_nano_sort", sorting(data / "labels/gpt_nano_sort_cases.json"))
        yield shared("magika_v3_3", file_bytes(PROJECT / "src"))
        speaking = data / "audio/silero_test.wav"
        yield shared("silero_vad_16k_op15", speech(speaking, data / "models/silero_vad_16k_op15.onnx"))

        ocr = {"mean": 127.5, "std": 127.5, "crops": 4, "color": "BGR"}
        yield from packaged("ppocr_det", "*det_small.onnx", images("x", size=(320, 320), **IMAGENET))
        yield from packaged("ppocr_rec", "*rec_small.onnx", images("x", size=(320, 48), **ocr))
        yield from packaged("ppocr_cls", "*cls_mobile.onnx", images("x", size=(192, 48), **ocr))
        yield from packaged("vit_s_focus", "vit_s_focus.onnx", images("input_image", **IMAGENET))
        yield from packaged("basic_pitch", "nmp.onnx", windows(speaking, "serving_default_input_2:0", 43844))
        vocabulary = next(packages.rglob("vocab.txt"), Path("missing"))
        texts = tokens(vocabulary, [PROJECT / "README.md", PROJECT / "ARCHITECTURE.md", PROJECT / "bench/README.md"])
        if vocabulary.exists():
            yield from packaged("minilm_l3", "paraphrase-MiniLM-L3-v2.onnx", texts)
            yield Network("minilm_l6", generated / "minilm_l6.onnx", texts)
        lite = images("image", mean=127, std=128)
        yield Network("efficientnet_lite0", generated / "efficientnet_lite0.onnx", lite)

    yield from (network for network in found() if network.file.exists())
