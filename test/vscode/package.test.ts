/** The package of this machine's platform: what is in it, how large it is, and that it works where it is unpacked. */

import * as assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { unzipSync } from 'fflate';
import manifest from '../../package.json';
import { hostPlatform } from '../../scripts/package/build';
import { nativeModules, PLATFORMS } from '../../scripts/package/contents';
import { currentPackage, ROOT } from './support/package';

const PROGRAMS = [
  'agentLibrary',
  'engineLibrary',
  'cli',
  'engine',
  'extension',
  'mcp',
  'recipeClient',
  'recipeLibrary',
  'server',
  'statsWorker',
  'webview/layers',
  'webview/tune',
];
const TEXTS = [
  'LICENSE.txt',
  'ThirdPartyNotices.txt',
  'changelog.md',
  'docs/diagnostics.md',
  'package.json',
  'readme.md',
];
const SAMPLE = ['README.md', 'classes.txt', 'images/labels.tsv', 'shapes.onnx', 'shapes.quant.yaml'];

const platform = hostPlatform();
assert.ok(platform !== undefined, 'There is a package for this platform.');

const folder = fs.mkdtempSync(path.join(tmpdir(), 'quantscope-unpacked-'));
after(() => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

const vsix = currentPackage();
const packed = Object.entries(unzipSync(fs.readFileSync(vsix))).filter(([name]) => !name.endsWith('/'));
const files = packed.map(([name]) => name).filter((name) => name.startsWith('extension/'));
const names = files.map((name) => name.slice('extension/'.length)).sort();
const below = (prefix: string): string[] => {
  return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
};

test('holds our files and no others', () => {
  const images = /^samples\/images\/(calibration|validation)\/[\w-]+\.png$/;
  const ours = names.filter(
    (name) => !/^(media|schemas|dist\/(node_modules|worker))\//.test(name) && !images.test(name),
  );
  const expected = [
    'dist/webview/layers.css',
    'dist/webview/tune.css',
    ...TEXTS,
    ...PROGRAMS.map((name) => `dist/${name}.js`),
    ...SAMPLE.map((name) => `samples/${name}`),
  ];
  assert.deepEqual(ours, expected.sort());
  assert.equal(names.filter((name) => images.test(name)).length, 500);
  const worker = fs.readdirSync(path.join(ROOT, 'src/torch/worker')).filter((name) => name.endsWith('.py'));
  assert.deepEqual(below('dist/worker/').sort(), worker.sort());
  assert.deepEqual(
    below('media/').filter((name) => !/\.(png|svg|md|woff)$/.test(name)),
    [],
  );
  assert.deepEqual(
    below('schemas/').filter((name) => !name.endsWith('.json')),
    [],
  );
});

test('holds no sources, tests, maps or declarations, and nothing outside the extension but its two descriptions', () => {
  assert.deepEqual(
    names.filter(
      (name) =>
        !name.startsWith('dist/worker/') &&
        /\.(tsx?|mts|cts|map|py|h|d\.[cm]?ts)$|(^|\/)(src|tests?|scripts|install)\//.test(name),
    ),
    [],
  );
  const others = packed.map(([name]) => name).filter((name) => !name.startsWith('extension/'));
  assert.deepEqual(others.sort(), ['[Content_Types].xml', 'extension.vsixmanifest']);
});

test("holds this platform's native modules and no other's", () => {
  const modules = new Set(below('dist/node_modules/').map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)?.[0]));
  assert.deepEqual(
    [...modules].sort(),
    nativeModules(platform)
      .map(({ name }) => name)
      .sort(),
  );
  const binaries = below('dist/node_modules/onnxruntime-node/bin/napi-v6/');
  assert.ok(binaries.includes(`${PLATFORMS[platform].runtime}/onnxruntime_binding.node`));
  assert.deepEqual(
    binaries.filter((name) => !name.startsWith(`${PLATFORMS[platform].runtime}/`)),
    [],
  );
});

test('holds every file that its manifest names', () => {
  const text = JSON.stringify({ main: manifest.main, ...('icon' in manifest ? { icon: manifest.icon } : {}) });
  const named = `${text}${JSON.stringify(manifest.contributes)}`.matchAll(
    /"(?:\.\/)?((?:dist|media|schemas)\/[^"]+)"/g,
  );
  const missing = [...named].map(([, name = '']) => name).filter((name) => !names.includes(name));
  assert.deepEqual(missing, []);
});

test('its size is within the bound', () => {
  const { size } = fs.statSync(vsix);
  assert.ok(size < PLATFORMS[platform].bound, `${size} bytes`);
});

test('quantizes the sample out of the unpacked package', { timeout: 240_000 }, () => {
  for (const [name, content] of packed) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), content);
  }
  const unpacked = path.join(folder, 'extension');
  const args = ['dist/cli.js', 'quantize', 'samples/shapes.onnx', '--data', 'samples/images/calibration'];
  // A folder from which no module of the checkout can be found.
  const output = execFileSync(process.execPath, [...args, '--samples', '8', '--preprocess', 'tf', '--json'], {
    cwd: unpacked,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const report = JSON.parse(output) as Record<string, unknown>;
  assert.ok(Object.keys(report).length > 0);
  assert.ok(
    fs.existsSync(path.join(unpacked, 'samples/shapes.quant/shapes.int8.onnx')),
    fs.readdirSync(path.join(unpacked, 'samples/shapes.quant')).join(),
  );
});
