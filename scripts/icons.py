"""Makes media/status.woff, the shapes of the layer view as icons of the trees: VS Code's own font has no filled square.

    pip install fonttools && python scripts/icons.py

Coordinates are those of VS Code's icons, 16 units to a side, the origin at the upper left.
"""

from math import cos, pi, sin
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

UNIT = 64
CENTRE = 8.0


def polygon(*points):
    """One closed contour of points in icon coordinates; clockwise is filled, the other way round a hole."""
    return [(round(x * UNIT), round((16 - y) * UNIT)) for x, y in points]


def circle(radius, hole=False, corners=48):
    turn = -1 if hole else 1
    angles = [turn * 2 * pi * corner / corners for corner in range(corners)]
    return polygon(*((CENTRE + radius * cos(a), CENTRE + radius * sin(a)) for a in angles))


# Sizes that look alike, as in webview/layers/chart/painter.ts.
ICONS = {
    "int8": [polygon((4, 4), (12, 4), (12, 12), (4, 12))],
    "float": [circle(4.5), circle(3.3, hole=True)],
    "fallback": [polygon((8, 3), (13.2, 12.2), (2.8, 12.2))],
}


def main():
    names = [".notdef", *ICONS]
    font = FontBuilder(16 * UNIT)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({0xE001 + index: name for index, name in enumerate(ICONS)})
    glyphs = {}
    for name in names:
        pen = TTGlyphPen(None)
        for first, *others in ICONS.get(name, []):
            pen.moveTo(first)
            for point in others:
                pen.lineTo(point)
            pen.closePath()
        glyphs[name] = pen.glyph()
    font.setupGlyf(glyphs)
    font.setupHorizontalMetrics({name: (16 * UNIT, glyphs[name].xMin if name in ICONS else 0) for name in names})
    font.setupHorizontalHeader(ascent=16 * UNIT, descent=0)
    font.setupNameTable({"familyName": "Quantscope Status", "styleName": "Regular"})
    font.setupOS2(sTypoAscender=16 * UNIT, usWinAscent=16 * UNIT, usWinDescent=0)
    font.setupPost()
    # The same bytes every time.
    font.font.recalcTimestamp = False
    font.setupHead(unitsPerEm=16 * UNIT, created=0, modified=0)
    font.font.flavor = "woff"
    font.save(Path(__file__).parent.parent / "media" / "status.woff")


main()
