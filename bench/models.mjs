// What is measured: models with their images and preprocessing (in the peer's notation and in ours), how ten crops of
// an image are made for them, and the configurations of the peer.

export const MODELS = {
  squeezenet: {
    file: 'squeezenet.onnx',
    images: 'imagenet',
    peerPreprocess: 'squeezenet',
    preprocess: '{resize: {mode: shorter-side, size: 256}, crop: 224, color: bgr, mean: [104, 117, 123]}',
    crops: { shorter: 256, size: 224, peerPreprocess: 'size=224x224,fit=exact,color=bgr,mean=104/117/123' },
  },
  mobilenet: {
    file: 'mobilenetv1_025_128.onnx',
    images: 'imagenet',
    peerPreprocess: 'mobilenet128',
    preprocess: '{resize: {mode: shorter-side, size: 146}, crop: 128, color: rgb, mean: 127.5, std: 127.5}',
    crops: { shorter: 146, size: 128, peerPreprocess: 'size=128x128,fit=exact,color=rgb,mean=127.5,std=127.5' },
  },
  resnet8: {
    file: 'resnet8_cifar10.onnx',
    images: 'cifar10',
    peerPreprocess: 'cifar',
    preprocess: '{resize: {mode: exact, size: 32}, color: rgb}',
  },
  mnist: {
    file: 'mnist.onnx',
    images: 'mnist',
    peerPreprocess: 'mnist',
    preprocess: '{resize: {mode: exact, size: 28}, color: gray}',
    // Without it, int8 weights per channel end in a ValueError: the bias of its Gemm is [1, 10], not [10].
    peerExtra: ['--no-bias-adjust'],
  },
};

const PER_CHANNEL = '--per-channel';

/** The peer's configurations: a letter, what it means, the flags of `quantize`. All are QDQ. */
export const CONFIGS = {
  a: { title: 'min-max u8/s8 per-tensor', flags: [] },
  b: { title: 'min-max u8/s8 per-channel', flags: [PER_CHANNEL] },
  c: { title: 'b + reduce_range', flags: [PER_CHANNEL, '--reduce-range'] },
  d: { title: 'min-max s8/s8 per-channel', flags: [PER_CHANNEL, '--activation', 'int8'] },
  e: { title: 'entropy u8/s8 per-channel', flags: [PER_CHANNEL, '--method', 'entropy'] },
  f: { title: 'percentile u8/s8 per-channel', flags: [PER_CHANNEL, '--method', 'percentile'] },
  g: { title: 'min-max u8/u8 per-channel', flags: [PER_CHANNEL, '--weight', 'uint8'] },
};

/** Observers by our name and the peer's. */
export const OBSERVERS = { 'min-max': 'minmax', entropy: 'entropy', percentile: 'percentile' };
