"""Writes the script that makes the same int8 model with torch and torchao alone."""

import patterns
import quantizers
import ranges
import tensors
from script import function_text, head_text, samples_text, source_text

_IMPORTS = """from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
    X86InductorQuantizer,
    get_default_x86_inductor_quantization_config,
)
"""

_SPECIAL = """import dataclasses

from torchao.quantization.pt2e import HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver
"""

_MAIN = '''def main():
    torch.manual_seed(0)
    torch.set_num_threads({threads})
    model = load_model().eval()
    example = tuple(next(iter(samples())))
    with torch.no_grad():
        exported = torch.export.export(model, tuple(copied(example)), strict=True).module()
        prepared = prepare_pt2e(exported, {quantizer})
        for inputs in samples():
            prepared(*copied(inputs))
        quantized = convert_pt2e(prepared)
        program = torch.export.export(without_unused(quantized), tuple(copied(example)))
    torch.export.save(program, sys.argv[1] if len(sys.argv) > 1 else {target!r})


if __name__ == "__main__":
    main()
'''


def script_text(options, own, facts):
    settings = {key: value for key, value in options["settings"].items() if value is not None}
    special = bool(settings) or bool(own)
    target = f"{facts['name']}.int8.pt2"
    steps = "torch.export, prepare_pt2e, calibration, convert_pt2e, torch.export.save"
    config = "get_default_x86_inductor_quantization_config()"
    quantizer = f"RecipeQuantizer({settings!r}, {own!r})" if special else f"X86InductorQuantizer().set_global({config})"
    return "".join(
        [
            head_text(facts, target, steps, "torch and torchao", (_SPECIAL if special else "") + _IMPORTS),
            source_text(ranges) + source_text(quantizers) if special else "",
            function_text(tensors.copied) + function_text(patterns.without_unused),
            samples_text(facts),
            _MAIN.format(threads=facts["threads"], quantizer=quantizer, target=target),
        ]
    )
