/** Decides how an image becomes the input tensor: recipe, preset and input shape resolved into plain numbers. */

import { QuantscopeError } from '../../shared/errors';
import type { PreprocessGuess } from '../../shared/inspection';
import type { Preprocess, PreprocessPreset } from '../../shared/recipe';
import type { InputInfo } from './types';

export type Layout = 'NCHW' | 'NHWC';
export type Color = 'rgb' | 'bgr' | 'gray' | 'y';
const PIXEL_TYPES = ['float32', 'float16', 'uint8', 'int8'] as const;
export type PixelType = (typeof PIXEL_TYPES)[number];

export interface Size {
  readonly width: number;
  readonly height: number;
}

export type Resize =
  { readonly mode: 'shorter-side'; readonly size: number } | ({ readonly mode: 'exact' | 'letterbox' } & Size);

/** Everything decided; `null` means that the step is left out or the size is each image's own. */
export interface ResolvedPreprocess {
  readonly layout: Layout;
  readonly dtype: PixelType;
  readonly channels: 1 | 3;
  readonly color: Color;
  /** Images in one sample: the model's fixed batch (the image is repeated), else 1; `null` where the input has no batch axis. */
  readonly batch: number | null;
  readonly resize: Resize | null;
  /** Centre crop: the left edge is floor((w − width) / 2), the top edge likewise. */
  readonly crop: Size | null;
  /** Of the tensor. */
  readonly width: number | null;
  readonly height: number | null;
  /** value = (pixel · scale − mean) / std in double precision, rounded once; means in the order of `color`. */
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

interface Values {
  readonly color?: Color;
  readonly scale: number;
  readonly mean: number | readonly number[];
  readonly std: number | readonly number[];
}

const RAW: Values = { scale: 1, mean: 0, std: 1 };

/**
 * imagenet: torchvision's classification models; caffe: BVLC's channel means, B, G, R;
 * tf: the −1…1 of TensorFlow's slim and Keras models; unit: 0…1.
 */
const PRESETS: Readonly<Record<PreprocessPreset, Values>> = {
  imagenet: { color: 'rgb', scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  caffe: { color: 'bgr', scale: 1, mean: [104, 117, 123], std: 1 },
  tf: { scale: 1 / 127.5, mean: 1, std: 1 },
  unit: { scale: 1 / 255, mean: 0, std: 1 },
};

type Dim = number | null;

interface Geometry {
  readonly layout: Layout;
  readonly batch: Dim;
  readonly hasBatch: boolean;
  readonly channels: Dim;
  readonly height: Dim;
  readonly width: Dim;
}

const isChannelCount = (dim: Dim | undefined): boolean => dim === 1 || dim === 3;

/** The image axes of an input, or `null` where its shape cannot hold an image. */
function geometryOf(input: InputInfo, wanted?: Layout): Geometry | null {
  const dims: Dim[] = input.shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : null));
  const hasBatch = dims.length === 4;
  if (!hasBatch && dims.length !== 3) return null;
  const [a = null, b = null, c = null] = hasBatch ? dims.slice(1) : dims;
  const layout = wanted ?? (!isChannelCount(a) && isChannelCount(c) ? 'NHWC' : 'NCHW');
  const [channels, height, width] = layout === 'NCHW' ? [a, b, c] : [c, a, b];
  if (channels !== null && !isChannelCount(channels)) return null;
  return { layout, batch: hasBatch ? (dims[0] ?? null) : null, hasBatch, channels, height, width };
}

/**
 * Fully resolves a preprocess block for an input. Without `resize` and `crop` an image is stretched to the
 * input's size; `shorter-side` without `crop` crops to the input's size.
 * @throws `data-invalid` where the input takes no such images, `recipe-invalid` where the block contradicts itself
 */
export function resolvePreprocess(preprocess: Preprocess, input: InputInfo): ResolvedPreprocess {
  const shape = `"${input.name}" of type ${input.type} and shape [${input.shape.join(', ')}]`;
  const geometry = geometryOf(input, preprocess.layout);
  if (geometry === null) {
    throw new QuantscopeError(
      'data-invalid',
      `Images do not fit the input ${shape}: it needs rank 3 or 4 with 1 or 3 channels.`,
    );
  }
  const dtype = PIXEL_TYPES.find((type) => type === input.type);
  if (dtype === undefined)
    throw new QuantscopeError(
      'data-invalid',
      `Images do not fit the input ${shape}: expected ${PIXEL_TYPES.join(', ')}.`,
    );
  if (preprocess.dtype !== undefined && preprocess.dtype !== dtype) {
    throw new QuantscopeError('data-invalid', `preprocess.dtype is ${preprocess.dtype}, but the model takes ${shape}.`);
  }
  const preset = preprocess.preset === undefined ? RAW : PRESETS[preprocess.preset];
  const channels = channelsOf(
    preprocess.color ?? preset.color,
    geometry.channels,
    shape,
    preprocess.color !== undefined,
  );
  const presetColor = preset.color !== undefined && channels === 3 ? preset.color : undefined;
  const color = preprocess.color ?? presetColor ?? (channels === 1 ? 'gray' : 'rgb');
  const { resize, crop, size } = resolveSize(preprocess, geometry, shape);
  return {
    layout: geometry.layout,
    dtype,
    channels,
    color,
    batch: geometry.hasBatch ? (geometry.batch ?? 1) : null,
    resize,
    crop,
    width: size?.width ?? null,
    height: size?.height ?? null,
    scale: preprocess.scale ?? preset.scale,
    mean: perChannel('mean', preprocess.mean ?? preset.mean, channels),
    std: perChannel('std', preprocess.std ?? preset.std, channels),
  };
}

function channelsOf(color: Color | undefined, fixed: Dim, shape: string, explicit: boolean): 1 | 3 {
  const wanted = color === undefined ? null : color === 'gray' || color === 'y' ? 1 : 3;
  if (fixed === null) return wanted ?? 3;
  if (explicit && wanted !== fixed) {
    throw new QuantscopeError(
      'data-invalid',
      `preprocess.color is ${color} (${wanted} channel(s)), but the model takes ${shape}.`,
    );
  }
  return fixed === 1 ? 1 : 3;
}

function perChannel(key: string, value: number | readonly number[], channels: number): readonly number[] {
  const values = typeof value === 'number' ? [value] : value;
  if (values.length !== 1 && values.length !== channels) {
    throw new QuantscopeError(
      'recipe-invalid',
      `preprocess.${key} has ${values.length} numbers for ${channels} channel(s).`,
    );
  }
  if (key === 'std' && values.includes(0)) throw new QuantscopeError('recipe-invalid', 'preprocess.std must not be 0.');
  return Array.from({ length: channels }, (_, i) => values[values.length === 1 ? 0 : i]!);
}

const sizeOf = (size: number | readonly [number, number]): Size =>
  typeof size === 'number' ? { width: size, height: size } : { width: size[0], height: size[1] };

interface Sizes {
  readonly resize: Resize | null;
  readonly crop: Size | null;
  readonly size: Size | null;
}

function resolveSize(preprocess: Preprocess, geometry: Geometry, shape: string): Sizes {
  const { width, height } = geometry;
  const input: Size | null = width !== null && height !== null ? { width, height } : null;
  const resize = resolveResize(preprocess, input);
  let crop = preprocess.crop === undefined ? null : sizeOf(preprocess.crop);
  if (resize?.mode === 'shorter-side') crop ??= input;
  const resized =
    resize === null || resize.mode === 'shorter-side' ? null : { width: resize.width, height: resize.height };
  if (crop !== null && resize !== null) {
    const { width: w, height: h } = resized ?? { width: Infinity, height: Infinity };
    const shorter = resize.mode === 'shorter-side' ? resize.size : Infinity;
    if (crop.width > w || crop.height > h || Math.min(crop.width, crop.height) > shorter) {
      throw new QuantscopeError(
        'recipe-invalid',
        `A crop of ${crop.width}×${crop.height} does not fit into the resized image (${describeResize(resize)}).`,
      );
    }
  }
  const size = crop ?? resized;
  if (size !== null && ((width !== null && size.width !== width) || (height !== null && size.height !== height))) {
    throw new QuantscopeError(
      'data-invalid',
      `The preprocessing makes ${size.width}×${size.height} pixels (width × height), but the model takes ${shape}.`,
    );
  }
  return { resize, crop, size };
}

function resolveResize(preprocess: Preprocess, input: Size | null): Resize | null {
  const { resize } = preprocess;
  if (resize === undefined) return preprocess.crop === undefined && input !== null ? { mode: 'exact', ...input } : null;
  if (resize.mode !== 'shorter-side') return { mode: resize.mode, ...sizeOf(resize.size) };
  if (typeof resize.size !== 'number') {
    throw new QuantscopeError(
      'recipe-invalid',
      'preprocess.resize.size is one number for shorter-side; use mode exact for [width, height].',
    );
  }
  return { mode: 'shorter-side', size: resize.size };
}

function describeResize(resize: Resize): string {
  if (resize.mode === 'shorter-side') return `shorter side ${resize.size}`;
  return `${resize.mode === 'exact' ? 'stretched' : 'letterboxed'} to ${resize.width}×${resize.height}`;
}

/** The resolved preprocessing in a few words, e.g. `shorter side 256, centre crop 224×224, BGR, (x − [104, 117, 123])`. */
export function describePreprocess(resolved: ResolvedPreprocess): string {
  const { resize, crop, color, scale } = resolved;
  const list = (values: readonly number[]): string =>
    values.every((value) => value === values[0]) ? String(values[0]) : `[${values.join(', ')}]`;
  const scaled = scale === 1 ? 'x' : 1 / scale > 1 ? `x/${Number((1 / scale).toPrecision(6))}` : `x·${scale}`;
  const shifted = resolved.mean.every((m) => m === 0) ? scaled : `(${scaled} − ${list(resolved.mean)})`;
  const value = resolved.std.every((s) => s === 1) ? shifted : `${shifted} / ${list(resolved.std)}`;
  return [
    ...(resize === null ? [] : [describeResize(resize)]),
    ...(crop === null ? [] : [`centre crop ${crop.width}×${crop.height}`]),
    color === 'y' ? 'luma (Y)' : color === 'gray' ? 'gray' : color.toUpperCase(),
    value,
  ].join(', ');
}

const CHECK = 'Check it against the training code.';

/** {@link guessPreprocess} of the only input; images cannot feed several. */
export function guessForInputs(inputs: readonly InputInfo[]): PreprocessGuess {
  const [input, ...others] = inputs;
  if (input === undefined || others.length > 0) {
    return { preprocess: {}, why: `The model has ${inputs.length} inputs, so images cannot feed it.` };
  }
  return guessPreprocess(input);
}

/** What preprocessing a model's input suggests, with the sentence that explains it; for `init` and the wizard. */
export function guessPreprocess(input: InputInfo): PreprocessGuess {
  const geometry = input.shape.length === 4 ? geometryOf(input) : null;
  if (geometry === null || !PIXEL_TYPES.some((type) => type === input.type)) {
    return {
      preprocess: {},
      why: `"${input.name}" [${input.shape.join(', ')}] does not look like an image, so nothing is preprocessed.`,
    };
  }
  const { width, height, layout } = geometry;
  if (input.type === 'uint8' || input.type === 'int8') {
    return { preprocess: {}, why: `"${input.name}" takes ${input.type}, so pixels are passed as they are. ${CHECK}` };
  }
  if (geometry.channels === 1) {
    return { preprocess: { preset: 'unit' }, why: `"${input.name}" has one channel: gray, scaled to 0…1. ${CHECK}` };
  }
  if (layout === 'NHWC') {
    return {
      preprocess: { preset: 'tf' },
      why: `"${input.name}" has its channels last, as TensorFlow models do: scaled to −1…1. ${CHECK}`,
    };
  }
  if (width === null || height === null || (width === height && width >= 96 && width <= 300)) {
    const crop = width ?? height ?? 224;
    const size = Math.round((crop * 256) / 224);
    return {
      preprocess: { preset: 'imagenet', resize: { mode: 'shorter-side', size }, crop },
      why: `"${input.name}" takes ${crop}×${crop} colour images, as ImageNet classifiers do: shorter side ${size}, centre crop, mean and std of ImageNet. ${CHECK}`,
    };
  }
  return {
    preprocess: { preset: 'unit' },
    why: `"${input.name}" takes ${width}×${height} colour images: stretched to that size and scaled to 0…1. ${CHECK}`,
  };
}
