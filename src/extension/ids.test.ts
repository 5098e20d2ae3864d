/** What the code calls commands, views, settings and context keys is what package.json declares. */

import * as assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import manifest from '../../package.json';
import { AGENT_TOOLS } from '../shared/agents/tools';
import {
  COMMANDS,
  CONTEXT_KEYS,
  LAYER_ORDERS,
  MEASURE_PRICES,
  RUN_AFTER_FIX,
  SETTING_DEFAULTS,
  TOOLS,
  VIEWS,
} from './ids';

const { contributes } = manifest;
const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort();
const declared = contributes.commands.map(({ command }) => command);

interface Item {
  readonly command?: string;
  readonly submenu?: string;
  readonly when?: string;
}
const menus = Object.entries(contributes.menus) as [string, readonly Item[]][];
const items = menus.flatMap(([, entries]) => entries);
const conditions = [
  ...items.map(({ when }) => when),
  ...contributes.viewsWelcome.map((welcome) => ('when' in welcome ? welcome.when : undefined)),
].filter((when) => when !== undefined);

describe('commands', () => {
  test('are the same here and there', () => {
    assert.deepEqual(sorted(declared), sorted(COMMANDS.map((name) => `quantscope.${name}`)));
    assert.equal(new Set(declared).size, declared.length);
  });

  test('have a category and a title without it', () => {
    for (const { category, title } of contributes.commands) {
      assert.equal(category, 'Quantscope');
      assert.ok(!title.startsWith('Quantscope'), title);
    }
  });

  test('of menus, welcome texts and the walkthrough exist', () => {
    const texts = [contributes.viewsWelcome, contributes.walkthroughs].map((part) => JSON.stringify(part)).join();
    const linked = [...texts.matchAll(/command:([\w.]+)/g)].map(([, id = '']) => id);
    const named = [...items.flatMap(({ command }) => command ?? []), ...linked];
    const ours = named.filter((id) => id.startsWith('quantscope.') && !/^quantscope\.\w+\.focus$/.test(id));
    assert.ok(linked.length > 0);
    assert.deepEqual(
      ours.filter((id) => !declared.includes(id)),
      [],
    );
  });

  test('in a row of icons have one', () => {
    const icons = new Set(contributes.commands.filter((command) => 'icon' in command).map(({ command }) => command));
    const rows = menus.filter(([menu]) => ['view/title', 'editor/title', 'view/item/context'].includes(menu));
    const drawn = rows.flatMap(([, entries]) =>
      entries.filter((item) => /^(inline|navigation)/.test('group' in item ? String(item.group) : '')),
    );
    assert.ok(drawn.length > 0);
    assert.deepEqual(
      drawn.map(({ command = '' }) => command).filter((command) => !icons.has(command)),
      [],
    );
  });
});

test('tools for agents are those of the shared table, with the same effects', () => {
  const effects = Object.entries(AGENT_TOOLS).map(([name, { effect }]) => [name, effect]);
  assert.deepEqual(TOOLS, Object.fromEntries(effects));
  const running = contributes.languageModelTools.filter((tool) => 'when' in tool).map(({ name }) => name);
  assert.deepEqual(running, ['quantscope_try_fixes', 'quantscope_run', 'quantscope_tune', 'quantscope_benchmark']);
});

test('context keys of the conditions are those that are set, and all of them are read', () => {
  const read = conditions.flatMap((when) => when.match(/\bquantscope\.\w+(?:\.\w+)*/g) ?? []);
  const views = new Set<string>(Object.values(VIEWS));
  assert.deepEqual(sorted(read.filter((key) => !views.has(key))), sorted(CONTEXT_KEYS));
});

test('every value that a condition compares the order of layers with is one', () => {
  const compared = conditions.flatMap((when) => [...when.matchAll(/quantscope\.layerOrder == '(\w+)'/g)]);
  assert.deepEqual(sorted(compared.map(([, value = '']) => value)), sorted(LAYER_ORDERS));
});

test('views are the same here and there', () => {
  assert.deepEqual(sorted(contributes.views.quantscope.map(({ id }) => id)), sorted(Object.values(VIEWS)));
  const named = conditions.flatMap((when) => [...when.matchAll(/\bview == ([\w.]+)/g)].map(([, id = '']) => id));
  const welcomed = contributes.viewsWelcome.map(({ view }) => view);
  assert.deepEqual(sorted(welcomed), sorted(Object.values(VIEWS)), 'every view says something when it is empty');
  for (const id of named) assert.ok((Object.values(VIEWS) as string[]).includes(id), id);
});

describe('settings', () => {
  const properties: Readonly<Record<string, { default: unknown; enum?: readonly string[] }>> =
    contributes.configuration.properties;

  test('have the same names and defaults here and there', () => {
    const defaults = Object.entries(properties).map(([key, value]) => [key.replace('quantscope.', ''), value.default]);
    assert.deepEqual(Object.fromEntries(defaults), SETTING_DEFAULTS);
  });

  test('offer the same values', () => {
    assert.deepEqual(properties['quantscope.runAfterFix']?.enum, RUN_AFTER_FIX);
    assert.deepEqual(properties['quantscope.prices.measure']?.enum, MEASURE_PRICES);
  });

  test('that name a program are not taken from an untrusted workspace', () => {
    const { restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
    assert.deepEqual(restrictedConfigurations, ['quantscope.engine.node', 'quantscope.python']);
  });
});
