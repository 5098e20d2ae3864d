/** What a package of the extension holds, as an allow-list: nothing is packaged unless it is named here. */

const MB = 1_000_000;

/**
 * What each platform's package adds, and the most its `.vsix` may weigh in bytes.
 * `runtime` is the folder of onnxruntime-node's binary; `images` are the packages of sharp's.
 */
export const PLATFORMS = {
  'linux-x64': {
    runtime: 'linux/x64',
    images: ['@img/sharp-linux-x64', '@img/sharp-libvips-linux-x64'],
    bound: 33 * MB,
  },
  'linux-arm64': {
    runtime: 'linux/arm64',
    images: ['@img/sharp-linux-arm64', '@img/sharp-libvips-linux-arm64'],
    bound: 25 * MB,
  },
  'win32-x64': { runtime: 'win32/x64', images: ['@img/sharp-win32-x64'], bound: 35 * MB },
  'win32-arm64': { runtime: 'win32/arm64', images: ['@img/sharp-win32-arm64'], bound: 35 * MB },
  'darwin-arm64': {
    runtime: 'darwin/arm64',
    images: ['@img/sharp-darwin-arm64', '@img/sharp-libvips-darwin-arm64'],
    bound: 28 * MB,
  },
} as const;

export type Platform = keyof typeof PLATFORMS;

/** Files of the checkout, by path with forward slashes. */
export const OWN_FILES: readonly RegExp[] = [
  /^(README\.md|CHANGELOG\.md|LICENSE|ThirdPartyNotices\.txt)$/,
  /^dist\/(cli|engine|statsWorker|extension|agentLibrary|engineLibrary|recipeClient|recipeLibrary|server|mcp)\.js$/,
  /^dist\/worker\/\w+\.py$/,
  /^dist\/webview\/[\w-]+\.(js|css)$/,
  /^media\/.+\.(png|svg|md|woff)$/,
  /^schemas\/[\w.-]+\.json$/,
  /^docs\/diagnostics\.md$/,
  /^samples\/(README\.md|classes\.txt|shapes\.onnx|shapes\.quant\.yaml)$/,
  /^samples\/images\/.+\.(png|jpg|tsv)$/,
];

/** The top of the folders that `OWN_FILES` lie in. */
export const OWN_FOLDERS = ['dist', 'docs', 'media', 'schemas', 'samples'] as const;

interface NativeModule {
  readonly name: string;
  readonly files: RegExp;
}

/**
 * The modules that the bundles leave outside, because they are native code, and what those need at run time.
 * Left out are the shader compilers of the Windows runtime, which only its WebGPU provider opens, and the second name
 * of the macOS library.
 */
export function nativeModules(platform: Platform): readonly NativeModule[] {
  const { runtime, images } = PLATFORMS[platform];
  const binary = `bin/napi-v6/${runtime}/(?!dxcompiler|dxil|libonnxruntime\\.1\\.\\d+\\.\\d+\\.dylib).+`;
  return [
    { name: 'onnxruntime-node', files: new RegExp(`^(package\\.json|dist/[\\w-]+\\.js|${binary})$`) },
    { name: 'onnxruntime-common', files: /^(package\.json|dist\/cjs\/(.+\.js|package\.json))$/ },
    { name: 'sharp', files: /^(package\.json|LICENSE|dist\/\w+\.cjs)$/ },
    { name: '@img/colour', files: /^(package\.json|LICENSE\.md|\w+\.cjs)$/ },
    { name: 'detect-libc', files: /^(package\.json|LICENSE|lib\/[\w-]+\.js)$/ },
    { name: 'semver', files: /^(package\.json|LICENSE|\w+\.js|(classes|functions|internal|ranges)\/[\w-]+\.js)$/ },
    ...images.map((name) => ({
      name,
      files: /^(package\.json|LICENSE|versions\.json|index\.cjs|lib\/[^/]+\.(js|node|dll|dylib)|lib\/[^/]+\.so[.\d]*)$/,
    })),
  ];
}

/** Folder of the native modules in a package: beside the bundles, which look for them there first. */
export const MODULES_FOLDER = 'dist/node_modules';

/** Fields of package.json that only a checkout needs. */
export const CHECKOUT_FIELDS = ['private', 'scripts', 'dependencies', 'devDependencies', 'bin'] as const;
