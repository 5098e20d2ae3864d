import * as path from 'node:path';
import { readRecipe } from '../../core/recipeFile';
import { plannedStatus, type InspectedLayer, type Inspection } from '../../shared/inspection';
import type { InspectInput } from '../../shared/protocol';
import type { Status } from '../../shared/report';
import { frameworkOf } from '../../shared/resultsSuffix';
import { defineCommand } from '../command';
import { bytes, count, printable, shape } from '../../shared/format';
import { countStrip, operator, reasonLegend, STATUS_WORDS, statusWord } from '../layers';
import type { Style } from '../style';
import { warningLines } from '../summary';
import { facts, table, type Column } from '../table';
import { commandLine, fileArgument } from '../shell';
import { backend, jobOptions } from './shared';

export const inspect = defineCommand({
  name: 'inspect',
  summary: 'The graph, its operators and the plan with reasons; needs no data.',
  usage: 'MODEL|RECIPE [--backend B] [--trust] [--json]',
  positional: {
    placeholder: 'MODEL',
    help: 'An ONNX model, a PyTorch model, which is then run, or a recipe of either.',
  },
  options: { backend, trust: jobOptions.trust },
  run: async ({ files: [model], values }, { cwd, run }) => {
    const chosen = values.backend === undefined ? {} : { backend: values.backend };
    const isRecipe = /\.ya?ml$/i.test(model);
    const target = isRecipe ? await recipeTarget(path.resolve(cwd, model)) : modelTarget(model, cwd);
    const inspection = await run('inspect', { ...target, ...chosen }, { trusted: values.trust });
    const next = isRecipe
      ? commandLine('run', fileArgument(model))
      : commandLine('quantize', fileArgument(model), '--data', 'DIR', ...(values.trust ? ['--trust'] : []));
    return { json: inspection, text: (style) => inspectionText(inspection, model, next, style) };
  },
});

/** PyTorch's is told by the recipe alone. */
function modelTarget(model: string, baseDir: string): InspectInput {
  const framework = frameworkOf(model);
  return { model, baseDir, ...(framework === 'torch' ? { recipe: { framework, model } } : {}) };
}

/** The model of a recipe, with all that the recipe decides. */
async function recipeTarget(file: string): Promise<InspectInput> {
  const { recipe } = await readRecipe(file);
  return { model: recipe.model, recipe, baseDir: path.dirname(file) };
}

const COLUMNS: readonly Column<InspectedLayer>[] = [
  {
    title: 'plan',
    value: (layer) => statusWord(plannedStatus(layer)),
    paint: (layer, style) => STATUS_WORDS[plannedStatus(layer)].paint(style),
  },
  { title: 'layer', value: ({ name }) => printable(name) },
  { title: 'operator', value: operator },
  { title: 'multiply-adds', align: 'right', value: ({ macs }) => (macs === 0 ? undefined : count(macs)) },
  { title: 'output', value: ({ outputs: [first] }) => (first === undefined ? undefined : shape(first.shape)) },
  { title: 'why not int8', value: ({ reason }) => reason ?? '' },
];

function countsOf(layers: readonly InspectedLayer[]): Readonly<Record<Status, number>> {
  const counts = { quantized: 0, float: 0, fallback: 0 };
  for (const layer of layers) counts[plannedStatus(layer)]++;
  return counts;
}

function inspectionText(inspection: Inspection, model: string, next: string, style: Style): string {
  const { layers, normalization, warnings } = inspection;
  const { opset, producer, inputs, outputs } = inspection.model;
  const tensors = (infos: Inspection['model']['inputs']): string =>
    infos.map((info) => `${printable(info.name)} ${info.type} ${shape(info.shape)}`).join(', ');
  const head = facts(
    [
      ['model', `${printable(model)}, ${bytes(inspection.model.bytes)}${opset === 0 ? '' : `, opset ${opset}`}`],
      ['producer', producer === '' ? undefined : printable(producer)],
      ['inputs', tensors(inputs)],
      ['outputs', tensors(outputs)],
    ],
    style,
  );
  const steps = normalization.map(({ description }) => `  ${printable(description)}`);
  const macs = layers.reduce((sum, layer) => sum + layer.macs, 0);
  const strip = facts(
    [
      ['plan', `${countStrip({ ...inspection, counts: countsOf(layers) }, style)}   for ${inspection.backend}`],
      ['work', macs === 0 ? undefined : `${count(macs)} multiply-adds for one inference`],
      ['next', next],
    ],
    style,
  );
  return [
    head,
    layers.length === 0 ? 'No layers.' : table(COLUMNS, layers, style),
    reasonLegend(layers, style),
    steps.length === 0 ? '' : [style.dim('Changed before quantizing'), ...steps].join('\n'),
    warningLines(warnings, style),
    strip,
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}
