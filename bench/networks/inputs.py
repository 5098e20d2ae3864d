"""What the networks are fed: real images, sound, text and files where the network has real weights, else noise alike.

An input function takes a count and the part ("calibration" or "validation", which never overlap) and gives one array
for each input of the model, samples along the first axis.
"""

import json
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

PARTS = ("calibration", "validation")
Arrays = dict[str, np.ndarray]
Inputs = Callable[[int, str], Arrays]


def spread(items: list, count: int) -> list:
    """`count` of them, evenly spread."""
    return [items[i * len(items) // count] for i in range(min(count, len(items)))]


def halves(items: list, part: str) -> list:
    """Every second one: what one part sees the other does not."""
    return items[PARTS.index(part) :: 2]


@dataclass(frozen=True)
class Images:
    """Photographs as the network was trained on them: value = (pixel - mean) / std."""

    folder: Path
    name: str
    size: tuple[int, int]
    color: str = "RGB"
    mean: float | tuple[float, ...] = 0
    std: float | tuple[float, ...] = 1
    crops: int = 1
    dtype: type = np.float32

    def __call__(self, count: int, part: str) -> Arrays:
        files = sorted(file for file in Path(self.folder, part).glob("*") if file.is_file())
        if not files:
            files = halves(sorted(self.folder.glob("*.*")), part)
        cut = [self._tensor(crop) for file in spread(files, -(-count // self.crops)) for crop in self._crops(file)]
        return {self.name: np.stack(cut[:count]).astype(self.dtype)}

    def _crops(self, file: Path) -> Iterator[Image.Image]:
        """The whole image where one is enough, else parts of it from a regular grid."""
        with Image.open(file) as opened:
            image = opened.convert("RGB")
        width, height = image.size
        for k in range(self.crops):
            share = 1 if self.crops == 1 else 0.45 + 0.1 * (k % 5)
            left, top = (1 - share) * ((k * 0.618) % 1), (1 - share) * ((k * 0.414) % 1)
            box = (left * width, top * height, (left + share) * width, (top + share) * height)
            yield image.resize(self.size, Image.Resampling.BILINEAR, box=box)

    def _tensor(self, image: Image.Image) -> np.ndarray:
        if self.color in ("L", "Y"):
            plane = image.convert("L") if self.color == "L" else image.convert("YCbCr").getchannel(0)
            pixels = np.asarray(plane)[None]
        else:
            pixels = np.asarray(image)[..., :: -1 if self.color == "BGR" else 1].transpose(2, 0, 1)
        mean, std = (np.reshape(np.float32(value), (-1, 1, 1)) for value in (self.mean, self.std))
        return (pixels.astype(np.float32) - mean) / std


def sorting(file: Path) -> Inputs:
    """The cases of a GPT that sorts six digits."""

    def inputs(count: int, part: str) -> Arrays:
        cases = halves(json.loads(file.read_text()), part)
        return {"idx": np.array([case["idx"] for case in spread(cases, count)], np.int64)}

    return inputs


def file_bytes(folder: Path) -> Inputs:
    """The first and the last kilobyte of files, padded with 256: what magika reads."""

    def ends(file: Path) -> np.ndarray:
        content = np.frombuffer(file.read_bytes(), np.uint8).astype(np.int32)
        row = np.full(2048, 256, np.int32)
        row[: min(1024, content.size)] = content[:1024]
        row[2048 - min(1024, content.size) :] = content[-1024:]
        return row

    def inputs(count: int, part: str) -> Arrays:
        files = sorted(file for file in folder.rglob("*.*") if file.is_file() and file.stat().st_size > 8)
        return {"bytes": np.stack([ends(file) for file in spread(halves(files, part), count)])}

    return inputs


def sound(file: Path) -> np.ndarray:
    with wave.open(str(file)) as opened:
        return np.frombuffer(opened.readframes(opened.getnframes()), np.int16).astype(np.float32) / 32768


def windows(file: Path, name: str, length: int) -> Inputs:
    """Stretches of a recording as [length, 1], the first half of it for calibration."""

    def inputs(count: int, part: str) -> Arrays:
        whole = sound(file)
        half = whole.size // 2
        samples = whole[:half] if part == "calibration" else whole[half:]
        starts = np.linspace(0, samples.size - length, count).astype(int)
        return {name: np.stack([samples[start : start + length, None] for start in starts])}

    return inputs


def speech(file: Path, model: Path) -> Inputs:
    """Frames of a recording with the state that the detector itself is in when it hears them."""

    def inputs(count: int, part: str) -> Arrays:
        session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        samples, rate = sound(file), np.array(16000, np.int64)
        state, frames = np.zeros((2, 1, 128), np.float32), []
        for start in range(64, samples.size - 512, 512):
            frame = samples[None, start - 64 : start + 512]
            frames.append((frame, state))
            _, state = session.run(None, {"input": frame, "state": state, "sr": rate})
        chosen = spread(halves(frames, part), count)
        return {"input": np.stack([f for f, _ in chosen]), "state": np.stack([s for _, s in chosen]), "sr": rate}

    return inputs


def tokens(vocabulary: Path, texts: list[Path], length: int = 64) -> Inputs:
    """Paragraphs in word pieces: the longest that the vocabulary has, from the left, as WordPiece takes them."""

    def pieces(text: str, known: dict[str, int]) -> Iterator[int]:
        for word in "".join(c if c.isalnum() else f" {c} " for c in text.lower()).split():
            start = 0
            while start < len(word):
                prefix = "##" if start else ""
                end = next((e for e in range(len(word), start, -1) if prefix + word[start:e] in known), start + 1)
                yield known.get(prefix + word[start:end], known["[UNK]"])
                start = end

    def inputs(count: int, part: str) -> Arrays:
        known = {word: i for i, word in enumerate(vocabulary.read_text(encoding="utf8").split("\n"))}
        sentences = [s for text in texts for s in text.read_text(encoding="utf8").split(". ") if len(s) > 40]
        ids = np.zeros((count, length), np.int64)
        mask = np.zeros((count, length), np.int64)
        for row, sentence in enumerate(spread(halves(sentences, part), count)):
            found = [known["[CLS]"], *list(pieces(sentence, known))[: length - 2], known["[SEP]"]]
            ids[row, : len(found)], mask[row, : len(found)] = found, 1
        return {"input_ids": ids, "attention_mask": mask}

    return inputs


def random_tokens(words: int, length: int = 64) -> Inputs:
    """Words as frequent as in texts (Zipf), sequences of any length."""

    def inputs(count: int, part: str) -> Arrays:
        random = np.random.default_rng(PARTS.index(part))
        ids = (words ** random.random((count, length)) - 1).astype(np.int64).clip(0, words - 1)
        mask = (np.arange(length)[None] < random.integers(12, length + 1, (count, 1))).astype(np.int64)
        return {"input_ids": ids * mask, "attention_mask": mask}

    return inputs


def random_frames(name: str, frames: int = 64, bins: int = 257) -> Inputs:
    """Magnitudes that fall with the frequency, in loud and quiet stretches."""

    def inputs(count: int, part: str) -> Arrays:
        random = np.random.default_rng(PARTS.index(part))
        loudness = np.exp(0.2 * random.standard_normal((count, frames, 1)).cumsum(1))
        values = np.abs(random.standard_normal((count, frames, bins))) * np.exp(np.linspace(0, -3, bins)) * loudness
        return {name: values.astype(np.float32)}

    return inputs
