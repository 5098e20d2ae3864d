/** What a key does, as data. Pure. */

export type Place = 'chart' | 'table' | 'text' | 'other';

export interface Key {
  readonly key: string;
  readonly shift: boolean;
  /** Control, Alt or Meta: the editor's own shortcuts. */
  readonly modified: boolean;
}

export type KeyCommand =
  /** Steps in the order of the graph. */
  | { readonly do: 'step'; readonly by: number }
  /** Rows in the order of the table. */
  | { readonly do: 'row'; readonly by: number }
  | { readonly do: 'end'; readonly which: 'first' | 'last' }
  /** Pins the layer; in one that is pinned already, goes on to its details. */
  | { readonly do: 'open' }
  | { readonly do: 'escape' }
  | { readonly do: 'search' }
  | { readonly do: 'zoom'; readonly by: number }
  | { readonly do: 'pan'; readonly by: number }
  | { readonly do: 'fit' };

/** Rows of a page. */
export const PAGE = 10;
const ZOOM_STEP = 1.5;
/** Share of what is shown. */
const PAN_STEP = 0.2;

const EVERYWHERE: Readonly<Record<string, KeyCommand>> = {
  '/': { do: 'search' },
  Escape: { do: 'escape' },
  '+': { do: 'zoom', by: ZOOM_STEP },
  '=': { do: 'zoom', by: ZOOM_STEP },
  '-': { do: 'zoom', by: 1 / ZOOM_STEP },
  _: { do: 'zoom', by: 1 / ZOOM_STEP },
  '0': { do: 'fit' },
};

const AMONG_LAYERS: Readonly<Record<string, KeyCommand>> = {
  ArrowLeft: { do: 'step', by: -1 },
  ArrowRight: { do: 'step', by: 1 },
  ArrowUp: { do: 'row', by: -1 },
  ArrowDown: { do: 'row', by: 1 },
  PageUp: { do: 'row', by: -PAGE },
  PageDown: { do: 'row', by: PAGE },
  Home: { do: 'end', which: 'first' },
  End: { do: 'end', which: 'last' },
  Enter: { do: 'open' },
  ' ': { do: 'open' },
};

const SHIFTED: Readonly<Record<string, KeyCommand>> = {
  ArrowLeft: { do: 'pan', by: -PAN_STEP },
  ArrowRight: { do: 'pan', by: PAN_STEP },
};

const IN_TEXT: Readonly<Record<string, KeyCommand>> = {
  Escape: { do: 'escape' },
  ArrowDown: { do: 'row', by: 0 },
  Enter: { do: 'row', by: 0 },
};

export function keyCommand({ key, shift, modified }: Key, place: Place): KeyCommand | undefined {
  if (modified) return undefined;
  if (place === 'text') return own(IN_TEXT, key);
  const amongLayers = place === 'chart' || place === 'table';
  if (shift && amongLayers) {
    const command = own(SHIFTED, key);
    if (command !== undefined) return command;
  }
  return (amongLayers ? own(AMONG_LAYERS, key) : undefined) ?? own(EVERYWHERE, key);
}

function own(table: Readonly<Record<string, KeyCommand>>, key: string): KeyCommand | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** The entry `by` places from the current one, inside the list; its first where there is no current one. */
export function move(list: readonly number[], current: number | null, by: number): number | null {
  if (list.length === 0) return null;
  const at = current === null ? -1 : list.indexOf(current);
  if (at === -1) return list[0]!;
  return list[Math.min(list.length - 1, Math.max(0, at + by))]!;
}
