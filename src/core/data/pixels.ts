/** 8-bit interleaved images and the geometry done on them: resampling, crop offsets, luma. */

/** Rows top to bottom, `channels` (1 or 3) interleaved bytes per pixel. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Pillow keeps 8-bit weights in 32-bit integers with 22 fractional bits (libImaging/Resample.c). */
const WEIGHT_BITS = 22;
const HALF = 1 << (WEIGHT_BITS - 1);

interface Taps {
  /** First source index of each output index. */
  readonly start: Int32Array;
  /** Number of weights of each output index. */
  readonly count: Int32Array;
  /** `stride` fixed-point weights for each output index. */
  readonly weights: Int32Array;
  readonly stride: number;
}

/** The triangle filter, stretched by the shrink factor: the antialiasing of Pillow and torchvision. */
function bilinearTaps(sourceSize: number, targetSize: number): Taps {
  const scale = sourceSize / targetSize;
  const support = Math.max(scale, 1);
  const stride = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(targetSize);
  const count = new Int32Array(targetSize);
  const weights = new Int32Array(targetSize * stride);
  const exact = new Float64Array(stride);
  for (let target = 0; target < targetSize; target++) {
    const center = (target + 0.5) * scale;
    const first = Math.max(Math.trunc(center - support + 0.5), 0);
    const taps = Math.min(Math.trunc(center + support + 0.5), sourceSize) - first;
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const weight = Math.max(1 - Math.abs((first + tap - center + 0.5) / support), 0);
      exact[tap] = weight;
      sum += weight;
    }
    start[target] = first;
    count[target] = taps;
    for (let tap = 0; tap < taps; tap++) {
      weights[target * stride + tap] = Math.trunc(0.5 + (exact[tap]! / sum) * 2 ** WEIGHT_BITS);
    }
  }
  return { start, count, weights, stride };
}

function resizeRows({ width, height, channels, data }: Pixels, targetWidth: number): Pixels {
  const { start, count, weights, stride } = bilinearTaps(width, targetWidth);
  const out = new Uint8Array(targetWidth * height * channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * channels;
    for (let x = 0; x < targetWidth; x++) {
      const from = row + start[x]! * channels;
      const first = x * stride;
      const end = first + count[x]!;
      if (channels === 1) {
        let sum = HALF;
        for (let tap = first, at = from; tap < end; tap++, at++) sum += data[at]! * weights[tap]!;
        out[to++] = sum >> WEIGHT_BITS;
      } else {
        let red = HALF;
        let green = HALF;
        let blue = HALF;
        for (let tap = first, at = from; tap < end; tap++, at += 3) {
          const weight = weights[tap]!;
          red += data[at]! * weight;
          green += data[at + 1]! * weight;
          blue += data[at + 2]! * weight;
        }
        out[to] = red >> WEIGHT_BITS;
        out[to + 1] = green >> WEIGHT_BITS;
        out[to + 2] = blue >> WEIGHT_BITS;
        to += 3;
      }
    }
  }
  return { width: targetWidth, height, channels, data: out };
}

function resizeColumns({ width, height, channels, data }: Pixels, targetHeight: number): Pixels {
  const { start, count, weights, stride } = bilinearTaps(height, targetHeight);
  const rowLength = width * channels;
  const out = new Uint8Array(rowLength * targetHeight);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < targetHeight; y++) {
    sums.fill(HALF);
    for (let tap = 0; tap < count[y]!; tap++) {
      const weight = weights[y * stride + tap]!;
      const from = (start[y]! + tap) * rowLength;
      for (let i = 0; i < rowLength; i++) sums[i]! += data[from + i]! * weight;
    }
    const to = y * rowLength;
    for (let i = 0; i < rowLength; i++) out[to + i] = sums[i]! >> WEIGHT_BITS;
  }
  return { width, height: targetHeight, channels, data: out };
}

/**
 * Stretches to exactly `width` × `height` with an antialiased bilinear filter, byte for byte as
 * Pillow's `Image.resize(size, BILINEAR)` (and so torchvision's `Resize` on a PIL image): rows
 * first, then columns, each pass rounded to 8 bits and left out where the size already fits.
 */
export function resizeBilinear(pixels: Pixels, width: number, height: number): Pixels {
  const rows = width === pixels.width ? pixels : resizeRows(pixels, width);
  return height === rows.height ? rows : resizeColumns(rows, height);
}
