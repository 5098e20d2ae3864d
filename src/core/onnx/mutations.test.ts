/**
 * Model files are untrusted: 2,000 broken ones, each of which must be read or be refused with a typed
 * error, quickly and without taking memory. Seeded, so a failure names a file that can be made again.
 */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { assorted, bytesOf, chain, externalTensor, graphWith, nested } from '../../../test/fixtures/onnx/models';
import { QuantscopeError } from '../../shared/errors';
import { subgraphs } from './attributes';
import { ModelProtoSchema, type GraphProto } from './generated/onnx_pb';
import { Graph } from './graph';
import { cloneModel, graphOf, parseModel, serializeModel } from './model';
import { readTensor } from './tensorProto';

const FILES = 2000;
const MODELS = path.resolve(__dirname, '../../../../shared/data/models');

/** Far above what a healthy reader needs (milliseconds), far below what a hang takes. */
const SLOWEST_MS = 5000;
const HEAP_BYTES = 512 * 2 ** 20;

type Random = (below: number) => number;

function randomOf(seed: number): Random {
  let state = (seed * 2654435761 + 1) % 2147483647;
  return (below) => {
    state = (state * 16807) % 2147483647;
    return state % below;
  };
}

type Mutation = (bytes: Uint8Array<ArrayBuffer>, random: Random) => Uint8Array;

/** The longest varints there are, and ones longer than allowed. */
const VARINTS: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
];

function splice(bytes: Uint8Array, from: number, removed: number, added: Iterable<number>): Uint8Array {
  return Buffer.concat([bytes.subarray(0, from), Uint8Array.from(added), bytes.subarray(from + removed)]);
}

/** Most of a real model is weights; the interesting bytes are where names and lengths are. */
function position(bytes: Uint8Array, random: Random): number {
  return random(2) === 0 ? random(bytes.length) : random(Math.min(bytes.length, 512));
}

function edited(bytes: Uint8Array, edit: (graph: GraphProto) => void): Uint8Array {
  const model = fromBinary(ModelProtoSchema, bytes);
  if (model.graph !== undefined) edit(model.graph);
  return toBinary(ModelProtoSchema, model);
}

function tensorsOf(graph: GraphProto): string[] {
  const names = [...graph.input.map((v) => v.name), ...graph.initializer.map((t) => t.name)];
  return [...names, ...graph.node.flatMap((n) => n.output), 'nowhere', ''];
}

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  truncated: (bytes, random) => bytes.subarray(0, position(bytes, random)),
  'bits flipped': (bytes, random) => {
    const copy = bytes.slice();
    for (let i = random(8); i >= 0; i--) {
      const at = position(copy, random);
      copy[at] = copy[at]! ^ (1 << random(8));
    }
    return copy;
  },
  'bytes replaced': (bytes, random) => {
    const copy = bytes.slice();
    for (let i = random(16); i >= 0; i--) copy[position(copy, random)] = random(256);
    return copy;
  },
  'length grown': (bytes, random) => splice(bytes, position(bytes, random), 1, VARINTS[random(VARINTS.length)]!),
  'range removed': (bytes, random) => splice(bytes, position(bytes, random), random(64), []),
  'range repeated': (bytes, random) => {
    const at = position(bytes, random);
    return splice(bytes, at, 0, bytes.subarray(at, at + random(256)));
  },
  'names mixed up': (bytes, random) =>
    edited(bytes, (graph) => {
      const names = tensorsOf(graph);
      const node = graph.node[random(graph.node.length)];
      if (node === undefined) return;
      const list = random(2) === 0 ? node.input : node.output;
      list[random(list.length + 1)] = names[random(names.length)]!;
    }),
  'dimensions mixed up': (bytes, random) =>
    edited(bytes, (graph) => {
      const tensor = graph.initializer[random(Math.max(1, graph.initializer.length))];
      const dims = [0n, -1n, 1n, 2n ** 31n, 2n ** 53n + 1n, 2n ** 63n - 1n];
      tensor?.dims.splice(random(3), random(2), dims[random(dims.length)]!);
    }),
  'types mixed up': (bytes, random) =>
    edited(bytes, (graph) => {
      const tensor = graph.initializer[random(Math.max(1, graph.initializer.length))];
      if (tensor !== undefined) tensor.dataType = random(30);
    }),
};

function baseModels(): Uint8Array<ArrayBuffer>[] {
  const external = graphWith(externalTensor('t', [2], { location: 'absent.data', offset: '0', length: '8' }));
  const made = [assorted(), nested(), chain(20), external].map((graph) => Uint8Array.from(bytesOf(graph)));
  const files = ['mnist.onnx', 'resnet8_cifar10.onnx']
    .map((name) => path.join(MODELS, name))
    .filter((f) => existsSync(f));
  return [...made, ...files.map((file) => Uint8Array.from(readFileSync(file)))];
}

/** Everything that reads a model before the runtime sees it. */
function readAll(bytes: Uint8Array): void {
  const model = parseModel(bytes, __dirname);
  new Graph(model);
  const visit = (graph: GraphProto): void => {
    const attributes = graph.node.flatMap((node) => node.attribute.flatMap((a) => a.t ?? a.tensors));
    for (const tensor of [...graph.initializer, ...attributes]) {
      try {
        readTensor(tensor, model.folder);
      } catch (error) {
        if (!(error instanceof QuantscopeError)) throw error;
      }
    }
    for (const node of graph.node) subgraphs(node).forEach(visit);
  };
  visit(graphOf(model));
  serializeModel(cloneModel(model));
}

test(`${FILES} broken files are read or refused, never worse`, (t) => {
  const bases = baseModels();
  const kinds = Object.entries(MUTATIONS);
  const outcomes = new Map<string, number>();
  let [slowest, largest] = [0, 0];
  const heapBefore = process.memoryUsage();
  for (let seed = 0; seed < FILES; seed++) {
    const random = randomOf(seed);
    const [kind, mutate] = kinds[seed % kinds.length]!;
    const bytes = mutate(bases[Math.floor(seed / kinds.length) % bases.length]!, random);
    const start = performance.now();
    let outcome = 'read';
    try {
      readAll(bytes);
    } catch (error) {
      assert.ok(error instanceof QuantscopeError, `${kind}, seed ${seed}: ${String(error)}`);
      assert.notEqual(error.code, 'internal', `${kind}, seed ${seed}`);
      outcome = error.code;
    }
    slowest = Math.max(slowest, performance.now() - start);
    assert.ok(slowest < SLOWEST_MS, `${kind}, seed ${seed}: ${slowest} ms`);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    largest = Math.max(largest, heapUsed + arrayBuffers - heapBefore.heapUsed - heapBefore.arrayBuffers);
    assert.ok(largest < HEAP_BYTES, `${kind}, seed ${seed}: ${largest} bytes`);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  t.diagnostic(
    `${[...outcomes].map(([o, n]) => `${o}: ${n}`).join(', ')}; slowest ${slowest.toFixed(1)} ms, most memory ${largest >> 20} MiB`,
  );
  // A test in which every file is read, or none, would prove nothing.
  assert.ok((outcomes.get('read') ?? 0) > FILES / 10 && outcomes.size >= 4);
});
