"""peer.py MODEL OUT SAMPLES.npz SETTING: quantizes by onnxruntime's own tools, as their documentation recommends.

The model is prepared first: opset 13 for scales per channel, IR 8 so that initializers listed as inputs fold, then
`quant_pre_process` with symbolic shapes.
"""

import sys
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from samples import Samples

STATIC: dict[str, dict[str, object]] = {
    "static": {"per_channel": True},
    "per-tensor": {},
    "percentile": {"per_channel": True, "calibrate_method": CalibrationMethod.Percentile},
    "entropy": {"per_channel": True, "calibrate_method": CalibrationMethod.Entropy},
}
DYNAMIC = {"dynamic": QuantType.QInt8, "dynamic-u8": QuantType.QUInt8}
# Without the second, int8 weights per channel fail where a bias is [1, N].
RETRY = [{}, {"QDQDisableWeightAdjustForInt32Bias": True}]
# Samples whose tensors are in memory at once for a histogram; the tool wants a divisor of their number.
MOST_HELD = 10
OLDEST_PER_CHANNEL = 13


class Reader(CalibrationDataReader):
    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._next = 0

    def get_next(self) -> dict | None:
        if self._next == len(self._samples):
            return None
        self._next += 1
        return self._samples[self._next - 1]

    def set_range(self, start_index: int, end_index: int) -> None:
        """Asked for by strided calibration."""
        self._samples, self._next = self._samples.part(start_index, end_index), 0

    def __len__(self) -> int:
        return len(self._samples)


def prepared(model: str, folder: str) -> str:
    """The file of the pre-processed model; where symbolic shapes fail, without them but optimized all the same."""
    proto = onnx.load(model)
    if next(o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")) < OLDEST_PER_CHANNEL:
        proto = onnx.version_converter.convert_version(proto, OLDEST_PER_CHANNEL)
    proto.ir_version = max(proto.ir_version, 8)
    constants = {initializer.name for initializer in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    raised, out = str(Path(folder, "raised.onnx")), str(Path(folder, "prepared.onnx"))
    onnx.save(proto, raised)
    for symbolic in (False, True):
        try:
            quant_pre_process(raised, out, skip_symbolic_shape=symbolic)
            return out
        except Exception as error:
            print(f"pre-processing: {error}", file=sys.stderr)
    return raised


def quantize(model: str, out: str, samples_file: str, setting: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ready = prepared(model, folder)
        if setting in DYNAMIC:
            quantize_dynamic(ready, out, per_channel=True, weight_type=DYNAMIC[setting])
            return
        options = STATIC[setting]
        samples = Samples(samples_file, ready)
        held = max(count for count in range(1, MOST_HELD + 1) if len(samples) % count == 0)
        strided = {"CalibStridedMinMax": held} if "calibrate_method" in options else {}
        for more in RETRY:
            try:
                quantize_static(
                    *(ready, out, Reader(samples)),
                    quant_format=QuantFormat.QDQ,
                    activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8,
                    extra_options={**more, **strided},
                    **options,
                )
                return
            except ValueError:
                if more is RETRY[-1]:
                    raise


if __name__ == "__main__":
    quantize(*sys.argv[1:])
