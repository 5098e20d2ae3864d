/** One drawing, two surfaces: the canvas of the screen, and an SVG file. */

export interface Paint {
  readonly fill?: string;
  readonly stroke?: string;
  readonly width?: number;
  readonly dash?: readonly number[];
  readonly opacity?: number;
}

export interface TextStyle {
  readonly fill: string;
  readonly size: number;
  readonly align?: 'start' | 'middle' | 'end';
  /** Degrees, clockwise, around the point. */
  readonly rotate?: number;
  /** Most width in pixels; longer text ends in an ellipsis, and is left out where only that would remain. */
  readonly most?: number;
}

export type Shape = 'square' | 'circle' | 'triangle' | 'diamond';

/** Coordinates are CSS pixels; points are flat [x, y, …]; the y of text is its middle. */
export interface Painter {
  rect(x: number, y: number, width: number, height: number, paint: Paint): void;
  line(points: readonly number[], paint: Paint): void;
  marks(shape: Shape, points: readonly number[], radius: number, paint: Paint): void;
  text(x: number, y: number, text: string, style: TextStyle): void;
  measure(text: string, size: number): number;
  clip(x: number, y: number, width: number, height: number, draw: () => void): void;
}

/** Text cut to a width; empty where nothing of it fits. */
export function ellipsize(text: string, most: number, measure: (text: string) => number): string {
  if (measure(text) <= most) return text;
  const letters = Array.from(text);
  let [fits, fails] = [0, letters.length];
  while (fails - fits > 1) {
    const middle = (fits + fails) >> 1;
    if (measure(`${letters.slice(0, middle).join('')}…`) <= most) fits = middle;
    else fails = middle;
  }
  return fits === 0 ? '' : `${letters.slice(0, fits).join('')}…`;
}

/** Half the side of a square, and the reach of a triangle, that look as large as a circle of radius 1. */
const SQUARE = 0.89;
const TRIANGLE = 1.25;
/** The reach of a diamond that looks as large. */
const DIAMOND = 1.2;

/** A stroke of more joints than this takes many times as long as the columns that it covers. */
const MOST_JOINTS = 1_200;

export class CanvasPainter implements Painter {
  readonly #context: CanvasRenderingContext2D;
  readonly #font: string;
  readonly #widths = new Map<string, number>();

  constructor(context: CanvasRenderingContext2D, font: string) {
    this.#context = context;
    this.#font = font;
  }

  rect(x: number, y: number, width: number, height: number, paint: Paint): void {
    this.#paint(paint, (context) => {
      context.rect(x, y, width, height);
    });
  }

  line(points: readonly number[], paint: Paint): void {
    if (points.length > 2 * MOST_JOINTS && paint.stroke !== undefined && paint.dash === undefined) {
      this.#columns(points, paint.stroke, paint.width ?? 1);
      return;
    }
    this.#paint(paint, (context) => {
      for (let i = 0; i < points.length; i += 2) {
        if (i === 0) context.moveTo(points[i]!, points[i + 1]!);
        else context.lineTo(points[i]!, points[i + 1]!);
      }
    });
  }

  /** A line from left to right as what it covers of each pixel column, which looks the same. */
  #columns(points: readonly number[], stroke: string, width: number): void {
    const context = this.#context;
    context.fillStyle = stroke;
    let [column, low, high, last] = [NaN, Infinity, -Infinity, points[1]!];
    const fill = (): void => context.fillRect(column, low - width / 2, Math.max(1, width), high - low + width);
    for (let i = 0; i < points.length; i += 2) {
      const [x, y] = [Math.round(points[i]!), points[i + 1]!];
      if (x !== column) {
        if (!Number.isNaN(column)) fill();
        // From where the column before has ended, so that there is no gap.
        [column, low, high] = [x, Math.min(last, y), Math.max(last, y)];
      } else {
        low = Math.min(low, y);
        high = Math.max(high, y);
      }
      last = y;
    }
    if (!Number.isNaN(column)) fill();
  }

  marks(shape: Shape, points: readonly number[], radius: number, paint: Paint): void {
    if (points.length === 0) return;
    if (shape === 'square' && paint.stroke === undefined) {
      this.#squares(points, radius, paint);
      return;
    }
    this.#paint(paint, (context) => {
      for (let i = 0; i < points.length; i += 2) this.#mark(context, shape, points[i]!, points[i + 1]!, radius);
    });
  }

  /** One path of thousands of squares takes many times as long as the squares alone. */
  #squares(points: readonly number[], radius: number, { fill, opacity = 1 }: Paint): void {
    if (fill === undefined) return;
    const context = this.#context;
    const side = Math.max(1, Math.round(2 * radius * SQUARE));
    context.globalAlpha = opacity;
    context.fillStyle = fill;
    for (let i = 0; i < points.length; i += 2) {
      context.fillRect(Math.round(points[i]! - side / 2), Math.round(points[i + 1]! - side / 2), side, side);
    }
    context.globalAlpha = 1;
  }

  #mark(context: CanvasRenderingContext2D, shape: Shape, x: number, y: number, radius: number): void {
    if (shape === 'square') {
      const half = radius * SQUARE;
      context.rect(x - half, y - half, 2 * half, 2 * half);
    } else if (shape === 'circle') {
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    } else if (shape === 'diamond') {
      const reach = radius * DIAMOND;
      context.moveTo(x, y - reach);
      context.lineTo(x + reach, y);
      context.lineTo(x, y + reach);
      context.lineTo(x - reach, y);
      context.closePath();
    } else {
      const reach = radius * TRIANGLE;
      context.moveTo(x, y - reach);
      context.lineTo(x + reach, y + reach * 0.8);
      context.lineTo(x - reach, y + reach * 0.8);
      context.closePath();
    }
  }

  text(x: number, y: number, text: string, { fill, size, align = 'start', rotate, most }: TextStyle): void {
    const shown = most === undefined ? text : ellipsize(text, most, (part) => this.measure(part, size));
    if (shown === '') return;
    const context = this.#context;
    context.font = `${size}px ${this.#font}`;
    context.fillStyle = fill;
    context.textAlign = align === 'middle' ? 'center' : align;
    context.textBaseline = 'middle';
    if (rotate === undefined) {
      context.fillText(shown, x, y);
      return;
    }
    context.save();
    context.translate(x, y);
    context.rotate((rotate * Math.PI) / 180);
    context.fillText(shown, 0, 0);
    context.restore();
  }

  measure(text: string, size: number): number {
    const key = `${size} ${text}`;
    const known = this.#widths.get(key);
    if (known !== undefined) return known;
    this.#context.font = `${size}px ${this.#font}`;
    const { width } = this.#context.measureText(text);
    this.#widths.set(key, width);
    return width;
  }

  clip(x: number, y: number, width: number, height: number, draw: () => void): void {
    const context = this.#context;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    draw();
    context.restore();
  }

  #paint(
    { fill, stroke, width = 1, dash = [], opacity = 1 }: Paint,
    trace: (c: CanvasRenderingContext2D) => void,
  ): void {
    const context = this.#context;
    context.globalAlpha = opacity;
    context.beginPath();
    trace(context);
    if (fill !== undefined) {
      context.fillStyle = fill;
      context.fill();
    }
    if (stroke !== undefined) {
      context.strokeStyle = stroke;
      context.lineWidth = width;
      context.lineJoin = 'round';
      context.setLineDash([...dash]);
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Characters that XML 1.0 does not allow at all. */
const FORBIDDEN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

export function xmlText(text: string): string {
  return text.replace(FORBIDDEN, '\uFFFD').replace(/[&<>"]/g, (letter) => ESCAPES[letter]!);
}

const round = (value: number): number => Math.round(value * 100) / 100;

export class SvgPainter implements Painter {
  readonly #parts: string[] = [];
  readonly #measure: (text: string, size: number) => number;
  #clips = 0;

  constructor(measure: (text: string, size: number) => number) {
    this.#measure = measure;
  }

  /** The file. */
  document(width: number, height: number, title: string, background: string, font: string): string {
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${xmlText(font)}">`,
      `<title>${xmlText(title)}</title>`,
      `<rect width="${width}" height="${height}" fill="${xmlText(background)}"/>`,
      ...this.#parts,
      '</svg>',
      '',
    ].join('\n');
  }

  rect(x: number, y: number, width: number, height: number, paint: Paint): void {
    const [left, top, w, hgt] = [x, y, width, height].map(round);
    this.#parts.push(`<rect x="${left!}" y="${top!}" width="${w!}" height="${hgt!}"${attributes(paint)}/>`);
  }

  line(points: readonly number[], paint: Paint): void {
    const shape = points.map((value, i) => `${i % 2 === 0 ? (i === 0 ? 'M' : 'L') : ' '}${round(value)}`).join('');
    if (shape !== '') this.#parts.push(`<path d="${shape}"${attributes({ fill: 'none', ...paint })}/>`);
  }

  marks(shape: Shape, points: readonly number[], radius: number, paint: Paint): void {
    if (points.length === 0) return;
    this.#parts.push(`<g${attributes({ fill: 'none', ...paint })}>`);
    for (let i = 0; i < points.length; i += 2) this.#parts.push(markElement(shape, points[i]!, points[i + 1]!, radius));
    this.#parts.push('</g>');
  }

  text(x: number, y: number, text: string, { fill, size, align = 'start', rotate, most }: TextStyle): void {
    const shown = most === undefined ? text : ellipsize(text, most, (part) => this.measure(part, size));
    if (shown === '') return;
    const place =
      rotate === undefined
        ? `x="${round(x)}" y="${round(y)}"`
        : `transform="translate(${round(x)} ${round(y)}) rotate(${rotate})"`;
    this.#parts.push(
      `<text ${place} fill="${xmlText(fill)}" font-size="${size}" text-anchor="${align}" dominant-baseline="central">${xmlText(shown)}</text>`,
    );
  }

  measure(text: string, size: number): number {
    return this.#measure(text, size);
  }

  clip(x: number, y: number, width: number, height: number, draw: () => void): void {
    this.#clips += 1;
    const id = `clip${this.#clips}`;
    this.#parts.push(`<clipPath id="${id}">`);
    this.rect(x, y, width, height, {});
    this.#parts.push(`</clipPath>`, `<g clip-path="url(#${id})">`);
    draw();
    this.#parts.push('</g>');
  }
}

function markElement(shape: Shape, x: number, y: number, radius: number): string {
  if (shape === 'circle') return `<circle cx="${round(x)}" cy="${round(y)}" r="${round(radius)}"/>`;
  if (shape === 'square') {
    const half = radius * SQUARE;
    return `<rect x="${round(x - half)}" y="${round(y - half)}" width="${round(2 * half)}" height="${round(2 * half)}"/>`;
  }
  if (shape === 'diamond') {
    const reach = radius * DIAMOND;
    const [west, east, north, south] = [x - reach, x + reach, y - reach, y + reach].map(round);
    return `<path d="M${round(x)} ${north!}L${east!} ${round(y)}L${round(x)} ${south!}L${west!} ${round(y)}Z"/>`;
  }
  const reach = radius * TRIANGLE;
  const [left, right, base] = [x - reach, x + reach, y + reach * 0.8].map(round);
  return `<path d="M${round(x)} ${round(y - reach)}L${right!} ${base!}L${left!} ${base!}Z"/>`;
}

function attributes({ fill, stroke, width, dash, opacity }: Paint): string {
  const pairs: readonly (readonly [string, string | number | undefined])[] = [
    ['fill', fill],
    ['stroke', stroke],
    ['stroke-width', width],
    ['stroke-dasharray', dash?.join(' ')],
    ['opacity', opacity],
  ];
  return pairs.map(([name, value]) => (value === undefined ? '' : ` ${name}="${xmlText(String(value))}"`)).join('');
}
