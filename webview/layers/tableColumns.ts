/** The columns of the table as data: what they show, how wide they are, and which a narrow table does without. Pure. */

import { count, NOTHING, printable, times } from '../../src/shared/format';
import { VERDICT_SYMBOLS } from '../../src/shared/verdicts';
import { isProblem, ratioOf, type Layers, type MeasureName } from './layers';
import { changeOf, type SortKey } from './order';
import { bareDB, changeDB, STATUS_SIGNS, time } from './text';
import { shareText, VERDICT_HINTS } from './verdicts';

/** What a cell says, as data. */
export interface Cell {
  readonly text: string;
  /** Classes beside that of its column. */
  readonly tone?: string;
  readonly title?: string;
  /** A sign in front of the text, with the class of its colour. */
  readonly sign?: { readonly symbol: string; readonly className: string };
  /** Drawn behind the text, as a part of the cell's width from 0 to 1. */
  readonly bar?: number;
}

export interface Column {
  readonly key: SortKey;
  readonly title: string;
  /** For people who do not see the symbol or the short form. */
  readonly label: string;
  readonly unit?: string;
  readonly className: string;
  /** Pixels; with `grows`, the least. */
  readonly width: number;
  readonly grows?: number;
  /** Columns without a place are always there; of the others, those with the highest go first where it gets narrow. */
  readonly expendable?: number;
  /** Whether there is anything in it. */
  readonly shown?: (layers: Layers) => boolean;
  readonly cell: (layers: Layers, layer: number, threshold: number) => Cell;
}

/** Half a decibel is what another set of images makes of the same model. */
const NOISE_DB = 0.5;

export function tone(change: number): 'better' | 'worse' | 'same' {
  return Number.isNaN(change) || Math.abs(change) < NOISE_DB ? 'same' : change > 0 ? 'better' : 'worse';
}

const compared = ({ base }: Layers): boolean => base !== null;
const blamed = ({ blame }: Layers): boolean => blame !== null;

/** In a column too narrow for the words. */
const SILENT = { text: 'n/a', title: 'Nothing could be compared: no value is finite in fp32, or there is none.' };

function decibelColumn(measure: 'local' | 'accumulated', title: string, label: string, expendable?: number): Column {
  return {
    ...{ key: measure, title, label, unit: 'dB', className: 'number', width: measure === 'local' ? 76 : 86 },
    ...(expendable === undefined ? {} : { expendable }),
    cell: (layers, layer, threshold) => ({
      ...(layers.incomparable[measure].has(layer) ? SILENT : { text: bareDB(layers[measure][layer]!) }),
      ...(measure === 'local' && isProblem(layers, layer, threshold) ? { tone: 'problem' } : {}),
    }),
  };
}

function changeColumn(
  key: 'localChange' | 'accumulatedChange',
  measure: MeasureName,
  label: string,
  expendable: number,
): Column {
  return {
    ...{ key, title: 'Δ', label, className: 'number change', width: 48, expendable },
    shown: compared,
    cell: (layers, layer) => {
      const change = changeOf(layers, measure, layer);
      return { text: changeDB(change), tone: tone(change) };
    },
  };
}

function timeColumn(measure: 'fp32' | 'int8', expendable: number): Column {
  return {
    ...{ key: measure, title: measure, label: `Time in ${measure}`, className: 'number time', width: 66, expendable },
    cell: (layers, layer) => ({ text: time(layers[measure][layer]!) }),
  };
}

/** Timing of one kernel is no more exact than this. */
const NOISE_RATIO = 0.1;

export function speedTone(ratio: number): 'better' | 'worse' | 'same' {
  if (Number.isNaN(ratio) || Math.abs(ratio - 1) < NOISE_RATIO) return 'same';
  return ratio > 1 ? 'better' : 'worse';
}

const COLUMNS: readonly Column[] = [
  {
    ...{ key: 'status', title: '', label: 'Status', className: 'status', width: 28 },
    cell: ({ status }, layer) => {
      const { symbol, word } = STATUS_SIGNS[status[layer]!];
      return { text: '', title: word, sign: { symbol, className: status[layer]! } };
    },
  },
  {
    ...{ key: 'name', title: 'Layer', label: 'Layer', className: 'name', width: 150, grows: 1 },
    cell: ({ name }, layer) => ({ text: printable(name[layer]!), title: printable(name[layer]!) }),
  },
  {
    ...{ key: 'op', title: 'Operator', label: 'Operator', className: 'op', width: 84, grows: 0.45, expendable: 7 },
    cell: ({ op }, layer) => ({ text: printable(op[layer]!), title: printable(op[layer]!) }),
  },
  {
    ...{ key: 'verdict', title: 'Verdict', label: 'What makes the error, and what inherits it', className: 'verdict' },
    ...{ width: 98, expendable: 3, shown: blamed },
    cell: ({ blame }, layer) => {
      const verdict = blame?.verdict[layer] ?? null;
      if (verdict === null) return { text: '' };
      const sign = { symbol: VERDICT_SYMBOLS[verdict], className: verdict };
      return { text: verdict, title: VERDICT_HINTS[verdict], tone: `is-${verdict}`, sign };
    },
  },
  {
    ...{ key: 'share', title: 'Share', label: 'Share of the error at the outputs', className: 'number share' },
    ...{ width: 62, expendable: 2, shown: blamed },
    cell: ({ blame }, layer) => {
      const share = blame?.share[layer] ?? NaN;
      return { text: shareText(share), ...(Number.isNaN(share) ? {} : { bar: share / 100 }) };
    },
  },
  decibelColumn('local', 'Local', 'Local SQNR: the layer alone in int8'),
  changeColumn('localChange', 'local', 'Change of the local SQNR', 1),
  decibelColumn('accumulated', 'Accum.', 'Accumulated SQNR: the int8 model against fp32 at this layer', 4),
  changeColumn('accumulatedChange', 'accumulated', 'Change of the accumulated SQNR', 5),
  timeColumn('fp32', 9),
  timeColumn('int8', 6),
  {
    ...{ key: 'ratio', title: 'Speed', label: 'How many times as fast as in fp32' },
    ...{ className: 'number speed', width: 68, expendable: 8 },
    shown: ({ fp32 }) => fp32.some((value) => !Number.isNaN(value)),
    cell: (layers, layer) => {
      const ratio = ratioOf(layers, layer);
      return { text: Number.isNaN(ratio) ? NOTHING : times(ratio), tone: speedTone(ratio) };
    },
  },
  {
    ...{ key: 'macs', title: 'MACs', label: 'Multiply-adds of one inference', className: 'number macs' },
    ...{ width: 62, expendable: 10 },
    cell: ({ macs }, layer) => ({ text: macs[layer] === 0 ? NOTHING : count(macs[layer]!) }),
  },
];

/** The columns that fit into a width in pixels, from the left. */
export function columnsFor(layers: Layers, width: number): readonly Column[] {
  let columns = COLUMNS.filter(({ shown }) => shown?.(layers) ?? true);
  const needed = (): number => columns.reduce((sum, column) => sum + column.width, 0);
  while (needed() > width) {
    const last = Math.max(...columns.map(({ expendable = 0 }) => expendable));
    if (last === 0) break;
    columns = columns.filter(({ expendable = 0 }) => expendable !== last);
  }
  return columns;
}

/** As `grid-template-columns`. */
export function templateOf(columns: readonly Column[]): string {
  return columns
    .map(({ width, grows }) => (grows === undefined ? `${width}px` : `minmax(${width}px, ${grows}fr)`))
    .join(' ');
}
