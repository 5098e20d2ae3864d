#!/usr/bin/env node
// Runs a command with onnxruntime seeing an x86 CPU that ends at AVX2: no AVX-512, no VNNI, no AVX-VNNI, no AMX.
// There, 8-bit products go through `vpmaddubsw`, which saturates: what a model loses on such a CPU can be measured on
// a newer one, at native speed.
//
//   node test/isa/avx2.mjs COMMAND ARGS...                  any onnxruntime-node in COMMAND or its children is masked
//   node test/isa/avx2.mjs --python VENV COMMAND ARGS...    also the onnxruntime wheel of that virtual environment
//   node test/isa/avx2.mjs --self-check [--python VENV]     proves native exact / masked saturated; prints JSON
//   node test/isa/avx2.mjs --print-env [--python VENV]      the environment variables, as JSON
//
// Exit status: COMMAND's own; 77 where masking is impossible here (not Linux on x86-64, no gcc, no objdump, no
// onnxruntime), with the reason on stderr: a test should skip and print it; 78 when masking is broken (the self-check
// failed, or a library without a patched copy was loaded).
//
// Method: in a copy of the library, each `cpuid` found by disassembling becomes an unassigned opcode of the same
// length, and a preloaded shim (cpuidMask.c) answers it with the feature bits cleared. The copies stay in a cache
// (ISA_MASK_CACHE, else XDG_CACHE_HOME, else ~/.cache; about 50 MB each), keyed by content; making one takes about 10 s.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const UNAVAILABLE = 77;
const BROKEN = 78;
const here = path.dirname(fileURLToPath(import.meta.url));
const CPUID = Buffer.from([0x0f, 0xa2]);
const TRAP = Buffer.from([0x0f, 0x0a]); // TRAP in cpuidMask.c

class MaskError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function requireMachine() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new MaskError(UNAVAILABLE, `needs Linux on x86-64, this is ${process.platform} ${process.arch}`);
  }
  for (const tool of ['gcc', 'objdump']) {
    if (spawnSync(tool, ['--version']).status !== 0) throw new MaskError(UNAVAILABLE, `${tool} was not found`);
  }
}

/** Resolves with the virtual addresses of all `cpuid` instructions of an ELF file. */
function findCpuid(file) {
  return new Promise((resolve, reject) => {
    const child = spawn('objdump', ['-d', '--no-show-raw-insn', file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const addresses = [];
    let rest = '';
    child.stdout.setEncoding('latin1');
    child.stdout.on('data', (chunk) => {
      const text = rest + chunk;
      const end = text.lastIndexOf('\n') + 1;
      for (const match of text.slice(0, end).matchAll(/^ *([0-9a-f]+):\tcpuid\b/gm))
        addresses.push(parseInt(match[1], 16));
      rest = text.slice(end);
    });
    child.on('error', reject);
    child.on('close', (status) =>
      status === 0 ? resolve(addresses) : reject(new MaskError(BROKEN, `objdump failed on ${file}: status ${status}`)),
    );
  });
}

/** Virtual address to file offset by the ELF64 little-endian program headers. */
function fileOffset(bytes, address) {
  const start = Number(bytes.readBigUInt64LE(0x20));
  const size = bytes.readUInt16LE(0x36);
  const count = bytes.readUInt16LE(0x38);
  for (let at = start; at < start + size * count; at += size) {
    const [offset, base, length] = [8, 16, 32].map((field) => Number(bytes.readBigUInt64LE(at + field)));
    if (bytes.readUInt32LE(at) === 1 && address >= base && address < base + length) return address - base + offset;
  }
  throw new MaskError(BROKEN, `address ${address.toString(16)} is in no segment`);
}

async function writePatched(source, target) {
  const addresses = await findCpuid(source);
  if (addresses.length === 0) throw new MaskError(BROKEN, `no cpuid in ${source}`);
  const bytes = fs.readFileSync(source);
  for (const address of addresses) {
    const at = fileOffset(bytes, address);
    if (!bytes.subarray(at, at + 2).equals(CPUID))
      throw new MaskError(BROKEN, `not a cpuid at ${address.toString(16)}`);
    TRAP.copy(bytes, at);
  }
  fs.writeFileSync(target, bytes);
}

function hashOf(files) {
  const hash = createHash('sha256').update(TRAP);
  for (const file of files) hash.update(fs.readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

/** A cache folder for these input files, filled by `build` once. Safe when several processes come at the same time. */
async function cached(name, inputs, build) {
  const root = path.join(
    process.env.ISA_MASK_CACHE ?? process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'),
    'quantscope-isa',
  );
  const folder = path.join(root, `${name}-${hashOf(inputs)}`);
  if (fs.existsSync(folder)) return folder;
  fs.mkdirSync(root, { recursive: true });
  const scratch = fs.mkdtempSync(path.join(root, 'new-'));
  try {
    await build(scratch);
    fs.renameSync(scratch, folder);
  } catch (error) {
    fs.rmSync(scratch, { recursive: true, force: true });
    if (!fs.existsSync(folder)) throw error; // else another process was faster
  }
  return folder;
}

function shim() {
  const source = path.join(here, 'cpuidMask.c');
  return cached('shim', [source], (folder) => {
    const out = path.join(folder, 'cpuidMask.so');
    const run = spawnSync('gcc', ['-O2', '-Wall', '-shared', '-fPIC', '-o', out, source, '-ldl'], { encoding: 'utf8' });
    if (run.status !== 0) throw new MaskError(UNAVAILABLE, `gcc failed: ${run.stderr}`);
  }).then((folder) => path.join(folder, 'cpuidMask.so'));
}

async function patchedNode() {
  let root;
  try {
    root = path.dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  } catch {
    throw new MaskError(UNAVAILABLE, 'onnxruntime-node is not installed');
  }
  const folder = path.join(root, 'bin/napi-v6/linux/x64');
  const [binding, library] = ['onnxruntime_binding.node', 'libonnxruntime.so.1'].map((file) => path.join(folder, file));
  if (!fs.existsSync(binding) || !fs.existsSync(library)) throw new MaskError(UNAVAILABLE, `no binaries in ${folder}`);
  // The binding finds the library beside itself (RUNPATH $ORIGIN), so an unchanged copy of it is all that is needed.
  const copy = await cached('node', [binding, library], async (scratch) => {
    await writePatched(library, path.join(scratch, path.basename(library)));
    fs.copyFileSync(binding, path.join(scratch, path.basename(binding)));
  });
  return `${binding}=${path.join(copy, path.basename(binding))}`;
}

async function patchedPython(venv) {
  const library = pythonModules(venv)[0];
  if (!library) throw new MaskError(UNAVAILABLE, `no onnxruntime wheel in ${venv}`);
  const copy = await cached('python', [library], (scratch) =>
    writePatched(library, path.join(scratch, path.basename(library))),
  );
  return `${library}=${path.join(copy, path.basename(library))}`;
}

function pythonModules(venv) {
  const lib = path.join(venv, 'lib');
  const pythons = fs.existsSync(lib) ? fs.readdirSync(lib).filter((name) => name.startsWith('python3')) : [];
  return pythons.flatMap((name) => {
    const capi = path.join(lib, name, 'site-packages/onnxruntime/capi');
    if (!fs.existsSync(capi)) return [];
    const modules = fs.readdirSync(capi).filter((file) => /^onnxruntime_pybind11_state.*\.so$/.test(file));
    return modules.map((file) => path.join(capi, file));
  });
}

/**
 * The environment under which onnxruntime sees AVX2 only; to be merged over process.env.
 * @param {{ python?: string }} [options] `python`: a virtual environment whose wheel is masked too
 * @throws {MaskError} with `status` 77 (impossible here) or 78 (broken)
 */
export async function maskedEnvironment({ python } = {}) {
  requireMachine();
  const redirects = [await patchedNode(), ...(python ? [await patchedPython(python)] : [])];
  const preload = [await shim(), process.env.LD_PRELOAD].filter(Boolean).join(' ');
  return { LD_PRELOAD: preload, ISA_MASK_REDIRECT: redirects.join(':') };
}

// ---------------------------------------------------------------- self-check

const varint = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
const int = (field, n) => [...varint(field << 3), ...varint(n)];
const bytes = (field, content) => [...varint((field << 3) | 2), ...varint(content.length), ...content];
const text = (field, s) => bytes(field, [...Buffer.from(s)]);
const UINT8 = 2;
const INT8 = 3;
const INT32 = 6;

/** onnx.proto ValueInfoProto of a rank-2 tensor. */
function value(name, type, dims) {
  const shape = dims.flatMap((n) => bytes(1, int(1, n)));
  return [...text(1, name), ...bytes(2, bytes(1, [...int(1, type), ...bytes(2, shape)]))];
}

/** An ONNX model y = MatMulInteger(a, b): a u8 [1, k] is the input, b s8 [k, n] all 127. */
function matMulInteger(k, n) {
  const weights = [
    ...int(1, k),
    ...int(1, n),
    ...int(2, INT8),
    ...text(8, 'b'),
    ...bytes(9, new Array(k * n).fill(127)),
  ];
  const node = [...text(1, 'a'), ...text(1, 'b'), ...text(2, 'y'), ...text(4, 'MatMulInteger')];
  const graph = [
    ...bytes(1, node),
    ...text(2, 'g'),
    ...bytes(5, weights),
    ...bytes(11, value('a', UINT8, [1, k])),
    ...bytes(12, value('y', INT32, [1, n])),
  ];
  return Buffer.from([...int(1, 8), ...bytes(7, graph), ...bytes(8, int(2, 13))]);
}

const K = 64;
const N = 16;
const PROBE_JS = `
const ort = require(process.argv[1]);
(async () => {
  const session = await ort.InferenceSession.create(process.argv[2]);
  const result = await session.run({ a: new ort.Tensor('uint8', new Uint8Array(${K}).fill(255), [1, ${K}]) });
  console.log(JSON.stringify(result.y.data[0]));
})();`;
const PROBE_PY = `
import sys, numpy, onnxruntime
net = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
print(int(net.run(None, {"a": numpy.full((1, ${K}), 255, numpy.uint8)})[0].ravel()[0]))`;

async function selfCheck(python) {
  const masked = { ...process.env, ...(await maskedEnvironment({ python })) };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'isa-mask-'));
  const model = path.join(folder, 'matmul.onnx');
  fs.writeFileSync(model, matMulInteger(K, N));
  const ort = createRequire(import.meta.url).resolve('onnxruntime-node');
  const ask = (command, args, env) => {
    const run = spawnSync(command, args, { env, encoding: 'utf8' });
    if (run.status !== 0) throw new MaskError(BROKEN, `${command} failed (${run.status ?? run.signal}): ${run.stderr}`);
    return JSON.parse(run.stdout);
  };
  // vpmaddubsw adds two neighbouring products in 16 bits, saturating at 32767: 2 * 255 * 127 = 64770 does not fit.
  const exact = K * 255 * 127;
  const saturated = (K / 2) * 32767;
  try {
    const report = { exact, saturated };
    report.node = Object.fromEntries(
      [
        ['native', process.env],
        ['masked', masked],
      ].map(([key, env]) => [key, ask(process.execPath, ['-e', PROBE_JS, ort, model], env)]),
    );
    if (python) {
      report.python = Object.fromEntries(
        [
          ['native', process.env],
          ['masked', masked],
        ].map(([key, env]) => [key, ask(path.join(python, 'bin/python'), ['-c', PROBE_PY, model], env)]),
      );
    }
    report.ok = [report.node, report.python].every((side) => !side || side.masked === saturated);
    report.nativeIsExact = [report.node, report.python].every((side) => !side || side.native === exact);
    console.log(JSON.stringify(report));
    if (!report.ok) throw new MaskError(BROKEN, 'the masked run did not saturate');
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

// ---------------------------------------------------------------- command line

async function main(args) {
  const options = { python: undefined, action: 'run' };
  while (args[0]?.startsWith('--')) {
    const flag = args.shift();
    if (flag === '--python') options.python = path.resolve(args.shift() ?? '');
    else if (flag === '--self-check' || flag === '--print-env') options.action = flag;
    else throw new MaskError(2, `unknown option ${flag}`);
  }
  if (options.action === '--self-check') return selfCheck(options.python);
  const environment = await maskedEnvironment(options);
  if (options.action === '--print-env') return console.log(JSON.stringify(environment));
  if (args.length === 0) throw new MaskError(2, 'usage: avx2.mjs [--python VENV] COMMAND ARGS...');
  const [command, ...rest] = args;
  const child = spawn(command, rest, { stdio: 'inherit', env: { ...process.env, ...environment } });
  child.on('error', (error) => fail(new MaskError(127, error.message)));
  child.on('close', (status, signal) => {
    process.exitCode = status ?? 128 + (os.constants.signals[signal] ?? 0);
  });
}

function fail(error) {
  console.error(`avx2 mask: ${error.message}`);
  process.exitCode = error.status ?? 1;
}

if (process.argv[1] && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch(fail);
}
