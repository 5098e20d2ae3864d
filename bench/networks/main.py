"""Quantscope beside onnxruntime's quantizers on many networks that nobody tuned for; see bench/README.md."""

import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

from table import HERE, PROJECT, Network, networks
from verdict import accuracy_table, observer_table, speed_table

PEERS = ["static", "dynamic", "dynamic-u8"]
SETTINGS = ["per-tensor", "static", "percentile", "entropy"]
SECTIONS = ["accuracy", "speed", "observers"]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=["accuracy", "speed"])
    parser.add_argument("--generated", type=Path, required=True, help="the folder that export.py has written")
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared/data")
    parser.add_argument("--packages", type=Path, default=Path("missing"), help="a folder of unpacked wheels")
    parser.add_argument("--scratch", type=Path, required=True, help="keeps what was made and measured")
    parser.add_argument("--cli", type=Path, default=PROJECT / "dist/cli.js")
    parser.add_argument("--only", nargs="+", help="networks, by name")
    parser.add_argument("--again", nargs="*", default=[], help="sides to quantize anew: ours, static, …")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--validation", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=20, help="of measuring, for each network")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


class Bench:
    """One network: its files in the scratch folder, and `facts.json` with all that was found of it."""

    def __init__(self, network: Network, options: argparse.Namespace) -> None:
        self.network = network
        self.folder = options.scratch / f"{network.name}-{options.samples}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._facts_file = self.folder / "facts.json"
        self.facts = json.loads(self._facts_file.read_text()) if self._facts_file.exists() else {}
        self._again = options.again
        self._cli = options.cli
        for part, count in (("calibration", options.samples), ("validation", options.validation)):
            if not self.samples(part).exists():
                np.savez(self.samples(part), **network.inputs(count, part))

    def samples(self, part: str) -> Path:
        return self.folder / f"{part}.npz"

    def model(self, side: str) -> Path:
        return self.network.file if side == "fp32" else self.folder / f"{side}.onnx"

    def save(self) -> None:
        self._facts_file.write_text(json.dumps(self.facts, indent=1))

    def quantize(self, side: str) -> None:
        """Makes the model of a side, unless it is there; what came of it goes to the facts."""
        if side in self.facts and side not in self._again:
            return
        self.model(side).unlink(missing_ok=True)
        calibration = str(self.samples("calibration"))
        if side == "ours":
            self.facts[side] = self._ours(calibration)
        else:
            ran = run(sys.executable, HERE / "peer.py", self.network.file, self.model(side), calibration, side)
            self.facts[side] = {} if ran.returncode == 0 else {"error": last_line(ran.stderr)}
        if self.model(side).exists():
            self.facts[side]["bytes"] = self.model(side).stat().st_size
        self.save()

    def _ours(self, calibration: str) -> dict:
        out = self.folder / "ours"
        validation = str(self.samples("validation"))
        cli = ["node", self._cli, "quantize", self.network.file, "--json", "--out", out]
        ran = run(*cli, "--data", calibration, "--validate", validation, "--samples", "1000")
        (self.folder / "ours.log").write_text(ran.stderr)
        if ran.returncode != 0:
            return {"error": last_line(ran.stderr) or ran.stdout[-300:]}
        (made,) = out.glob("*.int8.onnx")
        made.rename(self.model("ours"))
        report = json.loads((out / "report.json").read_text())
        return {"report": {key: report[key] for key in ("outputs", "counts", "latency", "seconds", "warnings")}}

    def judge(self, sides: list[str]) -> None:
        wanted = [side for side in sides if self.model(side).exists() and "sqnr" not in self.facts[side]]
        if not wanted:
            return
        models = [self.model(side) for side in wanted]
        ran = run(sys.executable, HERE / "judge.py", "errors", self.network.file, self.samples("validation"), *models)
        if ran.returncode != 0:
            raise SystemExit(f"{self.network.name}: {ran.stderr}")
        for side, found in zip(wanted, json.loads(ran.stdout), strict=True):
            self.facts[side] |= found
        self.save()

    def time(self, seconds: float) -> None:
        sides = ["fp32", *(side for side in ["ours", *PEERS] if "sqnr" in self.facts.get(side, {}))]
        models = [self.model(side) for side in sides]
        ran = run(sys.executable, HERE / "judge.py", "times", self.samples("validation"), seconds, *models)
        if ran.returncode == 0:
            self.facts["times"] = dict(zip(sides, json.loads(ran.stdout), strict=True))
            self.save()


def run(*command: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment, check=False)


def last_line(text: str) -> str:
    return (text.strip().split("\n") or [""])[-1][:300]


def main() -> None:
    options = parse()
    chosen = networks(options.generated, options.data, options.packages)
    benches = [Bench(n, options) for n in chosen if options.only is None or n.name in options.only]
    sides = [
        "ours",
        *(SETTINGS if "observers" in options.sections else []),
        *(PEERS if "accuracy" in options.sections else []),
    ]
    if "accuracy" in options.sections or "observers" in options.sections:
        for bench in benches:
            for side in dict.fromkeys(sides):
                bench.quantize(side)
            bench.judge(list(dict.fromkeys(sides)))
            print(
                bench.network.name,
                {side: bench.facts[side].get("sqnr") for side in dict.fromkeys(sides)},
                file=sys.stderr,
            )
    if "speed" in options.sections:
        for bench in benches:
            bench.time(options.seconds)
    facts = {bench.network.name: bench.facts for bench in benches}
    today = datetime.datetime.now(tz=datetime.UTC).date()
    lines = [f"{today}, onnxruntime {ort.__version__} judges, {options.samples} samples, one thread.", ""]
    tables = {"accuracy": accuracy_table, "speed": speed_table, "observers": observer_table}
    for section in options.sections:
        lines += [*tables[section](facts), ""]
    text = "\n".join(lines)
    print(text)
    if options.out is not None:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
