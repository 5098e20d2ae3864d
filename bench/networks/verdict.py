"""What was measured as Markdown, and whether what Quantscope promises of every network holds."""

import math

import numpy as np

FACT = dict[str, object]
DYNAMIC = ("dynamic", "dynamic-u8")
PEER_SETTINGS = {
    "per-tensor": "min-max per tensor",
    "static": "min-max per channel",
    "percentile": "percentile",
    "entropy": "entropy",
}
# A verdict within an interval that straddles the bound is open, and a difference of less is none.
SLACK = 0.97
NO_DIFFERENCE_DB = 0.05


def row(*cells: object) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def header(*cells: str) -> list[str]:
    return [row(*cells), row(*("---" for _ in cells))]


def sqnr(facts: dict[str, FACT], side: str) -> float | None:
    value = facts.get(side, {}).get("sqnr")
    return value if isinstance(value, float) else None


def decibels(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def best_dynamic(facts: dict[str, FACT]) -> str:
    """That of int8 weights where the runtime has kernels for it, else that of uint8 ones, which Conv needs."""
    return next((side for side in DYNAMIC if sqnr(facts, side) is not None), DYNAMIC[0])


def reported(facts: dict[str, FACT]) -> float | None:
    outputs = facts.get("ours", {}).get("report", {}).get("outputs", [])
    found = [output["error"]["sqnr"] for output in outputs if output["error"]["sqnr"] is not None]
    return min(found, default=None)


def accuracy_table(networks: dict[str, dict[str, FACT]]) -> list[str]:
    lines = header("network", "ours dB", "reported", "static", "dynamic", "bytes: ours", "static", "dynamic", "counts")
    for name, facts in networks.items():
        dynamic = best_dynamic(facts)
        sides = ("ours", "static", dynamic)
        lines.append(
            row(
                *(name, decibels(sqnr(facts, "ours")), decibels(reported(facts))),
                *(decibels(sqnr(facts, side)) or failure(facts, side) for side in ("static", dynamic)),
                *(f"{facts.get(side, {}).get('bytes', 0):,}" for side in sides),
                counts(facts) or failure(facts, "ours"),
            )
        )
    return lines


def failure(facts: dict[str, FACT], side: str) -> str:
    return str(facts.get(side, {}).get("error", ""))[:80].replace("|", "/").replace("\n", " ")


def counts(facts: dict[str, FACT]) -> str:
    found = facts.get("ours", {}).get("report", {}).get("counts", {})
    return ", ".join(f"{value} {key}" for key, value in found.items() if isinstance(value, int) and value > 0)


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """The median of paired ratios with its 95 % interval: order statistics by the binomial distribution."""
    ordered = sorted(ratios)
    count, tail, rank = len(ordered), 0.0, 0
    while tail + math.comb(count, rank) / 2**count <= 0.025:
        tail += math.comb(count, rank) / 2**count
        rank += 1
    low = max(0, rank - 1)
    return ordered[low], float(np.median(ordered)), ordered[count - 1 - low]


def ratios(times: dict[str, list[float]], one: str, other: str) -> list[float]:
    return [a / b for a, b in zip(times[one], times[other], strict=True)]


def verdict(found: tuple[float, float, float], bound: float) -> str:
    low, middle, high = found
    if low >= bound:
        return "yes"
    if high < bound:
        return "**no**"
    return "open, rather yes" if middle >= bound else "open, rather no"


def speed_table(networks: dict[str, dict[str, FACT]]) -> list[str]:
    lines = header(
        *("network", "fp32 ms", "ours ×", "static ×", "dynamic ×"),
        *("fastest or within 3 %", "never slower", "truer than the peer's fastest"),
    )
    held = [0, 0, 0]
    for name, facts in networks.items():
        times = facts.get("times", {})
        if "ours" not in times:
            lines.append(row(name, *([""] * 4), *([failure(facts, "ours") or "not measured"] * 3)))
            continue
        gained = {side: interval(ratios(times, "fp32", side)) for side in times if side != "fp32"}
        peers = [side for side in gained if side != "ours"]
        fastest = max(peers, key=lambda side: gained[side][1], default=None)
        judged = judge(facts, times, gained, fastest)
        held = [total + int("yes" in text) for total, text in zip(held, judged, strict=True)]
        dynamic = max((p for p in peers if p in DYNAMIC), key=lambda side: gained[side][1], default=None)
        shown = [ratio(gained.get(side)) for side in ("ours", "static", dynamic)]
        lines.append(row(name, f"{np.median(times['fp32']):.2f}", *shown, *judged))
    return [*lines, "", f"Held by {held[0]}, {held[1]} and {held[2]} of {len(networks)}."]


def judge(facts: dict[str, FACT], times: dict, gained: dict, fastest: str | None) -> tuple[str, str, str]:
    slower = verdict(gained["ours"], 1)
    if fastest is None:
        return "yes, no other", slower, "yes, no other"
    ours, theirs = sqnr(facts, "ours"), sqnr(facts, fastest)
    truer = ours is not None and theirs is not None and ours >= theirs - NO_DIFFERENCE_DB
    said = f"{'yes' if truer else '**no**'}: {decibels(ours)}, {fastest} {decibels(theirs)}"
    # Where the peer's fastest is slower than fp32, the fastest is fp32 itself, and the second claim tells.
    return verdict(interval(ratios(times, fastest, "ours")), SLACK), slower, said


def ratio(found: tuple[float, float, float] | None) -> str:
    return "" if found is None else f"{found[1]:.2f} ({found[0]:.2f} … {found[2]:.2f})"


def observer_table(networks: dict[str, dict[str, FACT]]) -> list[str]:
    lines = header("network", "ours dB", *PEER_SETTINGS.values(), "truer than the best of them")
    held = 0
    for name, facts in networks.items():
        ours, theirs = sqnr(facts, "ours"), [sqnr(facts, setting) for setting in PEER_SETTINGS]
        best = max((value for value in theirs if value is not None), default=None)
        truer = ours is not None and (best is None or ours >= best - NO_DIFFERENCE_DB)
        held += truer
        lines.append(row(name, decibels(ours), *map(decibels, theirs), "yes" if truer else "**no**"))
    return [*lines, "", f"Held by {held} of {len(networks)}."]
