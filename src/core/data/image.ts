/** From the bytes of an image file to an input tensor. */

import sharp from 'sharp';
import { allocate, floatToHalf, type Tensor, type TensorStorage } from '../tensor';
import { cmykToRgb, gray, jfifY } from './color';
import { resizeBilinear, type Pixels } from './pixels';
import type { PixelType, ResolvedPreprocess } from './preprocess';

/** Value of the bars of a letterbox, before scaling: the gray that YOLO models are trained with. */
const LETTERBOX_GRAY = 114;

/** 100 megapixels are 300 MB decoded; more is taken for an attack. */
const MAX_PIXELS = 100_000_000;

const SIGNATURES: readonly (readonly [offset: number, bytes: string])[] = [
  [0, '\xff\xd8\xff'],
  [0, '\x89PNG\r\n\x1a\n'],
  [8, 'WEBP'],
];

/**
 * Decodes JPEG, PNG or WebP to 8-bit sRGB (3 channels) or gray (1 channel), with the pixel values that Pillow
 * and OpenCV give: embedded colour profiles and EXIF orientation are not applied, alpha is dropped, 16 bits
 * become 8, CMYK becomes RGB without a profile; of an animation the first frame is taken.
 * @throws Error where the file is damaged, truncated or of another format
 */
export async function decodeImage(bytes: Uint8Array): Promise<Pixels> {
  // The file's own signature decides: sharp would also parse SVG, PDF and others under a .jpg name.
  const known = SIGNATURES.some(([offset, text]) =>
    Buffer.from(text, 'latin1').equals(bytes.subarray(offset, offset + text.length)),
  );
  if (!known) throw new Error(bytes.length === 0 ? 'The file is empty.' : 'The file is not a JPEG, PNG or WebP image.');
  const image = sharp(bytes, { ignoreIcc: true, limitInputPixels: MAX_PIXELS, failOn: 'error' }).raw({
    depth: 'uchar',
  });
  const { space } = await image.metadata();
  const isCmyk = space === 'cmyk';
  // libvips would convert CMYK by a press profile of its own.
  const converted = isCmyk
    ? image.pipelineColourspace('cmyk').toColourspace('cmyk')
    : image.toColourspace('srgb').removeAlpha();
  const { data, info } = await converted.toBuffer({ resolveWithObject: true });
  if (isCmyk) return { width: info.width, height: info.height, channels: 3, data: cmykToRgb(data) };
  if (info.channels !== 1 && info.channels !== 3) throw new Error(`The image decodes to ${info.channels} channels.`);
  return { width: info.width, height: info.height, channels: info.channels, data };
}

/** Resizes as resolved; the crop is left to {@link imageToTensor}, which reads only its window. */
function resize(pixels: Pixels, { resize: how }: ResolvedPreprocess): Pixels {
  if (how === null) return pixels;
  const { width, height } = pixels;
  if (how.mode === 'exact') return resizeBilinear(pixels, how.width, how.height);
  if (how.mode === 'shorter-side') {
    const longer = Math.round((Math.max(width, height) * how.size) / Math.min(width, height));
    return width <= height ? resizeBilinear(pixels, how.size, longer) : resizeBilinear(pixels, longer, how.size);
  }
  const factor = Math.min(how.width / width, how.height / height);
  const fitted = resizeBilinear(
    pixels,
    Math.max(Math.round(width * factor), 1),
    Math.max(Math.round(height * factor), 1),
  );
  return pad(fitted, how.width, how.height);
}

function pad(pixels: Pixels, width: number, height: number): Pixels {
  if (pixels.width === width && pixels.height === height) return pixels;
  const { channels } = pixels;
  const data = new Uint8Array(width * height * channels).fill(LETTERBOX_GRAY);
  const left = (width - pixels.width) >> 1;
  const top = (height - pixels.height) >> 1;
  const row = pixels.width * channels;
  for (let y = 0; y < pixels.height; y++) {
    data.set(pixels.data.subarray(y * row, (y + 1) * row), ((top + y) * width + left) * channels);
  }
  return { width, height, channels, data };
}

/** Turns images of one preprocessing into tensors; the 256 possible values of each channel are computed once. */
export function imageConverter(resolved: ResolvedPreprocess): (image: Pixels) => Tensor {
  const { dtype, mean, std, scale } = resolved;
  const tables = mean.map((m, channel) => {
    const values = allocate(dtype, 256);
    for (let pixel = 0; pixel < 256; pixel++) values[pixel] = store(dtype, (pixel * scale - m) / std[channel]!);
    return values;
  });
  return (image) => imageToTensor(image, resolved, tables);
}

/** Rounds once to the element type; integer types round half up and saturate. */
function store(dtype: PixelType, value: number): number {
  if (dtype === 'float32') return value;
  if (dtype === 'float16') return floatToHalf(value);
  const low = dtype === 'int8' ? -128 : 0;
  return Math.min(Math.max(Math.round(value), low), low + 255);
}

function imageToTensor(
  image: Pixels,
  resolved: ResolvedPreprocess,
  tables: readonly TensorStorage[PixelType][],
): Tensor {
  const sized = resize(image, resolved);
  const { width, height } = resolved.crop ?? sized;
  if (sized.width < width || sized.height < height) {
    throw new Error(
      `The image of ${sized.width}×${sized.height} pixels is smaller than the crop of ${width}×${height}.`,
    );
  }
  const { channels, layout, color, dtype } = resolved;
  const source = channels === 1 && (sized.channels === 3 || color === 'y') ? toLuma(sized, color) : sized;
  const window: Window = { left: (sized.width - width) >> 1, top: (sized.height - height) >> 1, width, height };
  const area = width * height;
  const one = allocate(dtype, area * channels);
  for (let channel = 0; channel < channels; channel++) {
    const from = source.channels === 1 ? 0 : color === 'bgr' ? 2 - channel : channel;
    const table = tables[channel]!;
    if (layout === 'NCHW') fill(one, channel * area, 1, source, window, from, table);
    else fill(one, channel, channels, source, window, from, table);
  }
  const dims = layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  const { batch } = resolved;
  if (batch === null) return { type: dtype, dims, data: one };
  if (batch === 1) return { type: dtype, dims: [1, ...dims], data: one };
  const all = allocate(dtype, one.length * batch);
  for (let copy = 0; copy < batch; copy++) all.set(one, copy * one.length);
  return { type: dtype, dims: [batch, ...dims], data: all };
}

interface Window {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

function fill(
  out: TensorStorage[PixelType],
  offset: number,
  step: number,
  { width, channels, data }: Pixels,
  window: Window,
  channel: number,
  table: TensorStorage[PixelType],
): void {
  let to = offset;
  for (let y = 0; y < window.height; y++) {
    let from = ((window.top + y) * width + window.left) * channels + channel;
    for (let x = 0; x < window.width; x++) {
      out[to] = table[data[from]!]!;
      from += channels;
      to += step;
    }
  }
}

/** One channel of brightness; a gray image counts as equal red, green and blue. */
function toLuma({ width, height, channels, data }: Pixels, color: ResolvedPreprocess['color']): Pixels {
  const out = new Uint8Array(width * height);
  const luma = color === 'y' ? jfifY : gray;
  const [green, blue] = channels === 3 ? [1, 2] : [0, 0];
  for (let i = 0, from = 0; i < out.length; i++, from += channels) {
    out[i] = luma(data[from]!, data[from + green]!, data[from + blue]!);
  }
  return { width, height, channels: 1, data: out };
}
