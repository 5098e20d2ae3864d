/** What is made from tables and schemas is what they say now. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { generatedFiles, ROOT } from '../scripts/schema';
import { COMMANDS } from '../src/cli/commands';
import { CODES } from '../src/server/codes';
import { recipeSchema } from '../src/shared/recipe';
import manifest from '../package.json';

const ADVICE = 'Run `npm run generate:schema`.';

describe('generated files', () => {
  test('are current', async () => {
    for (const [file, text] of await generatedFiles()) {
      assert.equal(readFileSync(join(ROOT, file), 'utf8'), text, `${file} is out of date. ${ADVICE}`);
    }
  });

  test('every code of the server has its heading', () => {
    const page = readFileSync(join(ROOT, 'docs/diagnostics.md'), 'utf8');
    const headings = Array.from(page.matchAll(/^## (.+)$/gm), ([, heading]) => heading);
    assert.deepEqual(headings, Object.keys(CODES));
  });

  test('the README names every command of the palette', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const { commands, menus } = manifest.contributes;
    const hidden = menus.commandPalette.filter(({ when }) => when === 'false').map(({ command }) => command);
    const offered = commands.filter(({ command }) => !hidden.includes(command));
    assert.ok(offered.length > 20);
    assert.deepEqual(
      offered.map(({ title }) => title).filter((title) => !readme.includes(`**${title}**`)),
      [],
    );
  });

  test('the README names every command of the terminal', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const listed = Array.from(readme.matchAll(/^quantscope (\w+) /gm), ([, name]) => name ?? '');
    assert.deepEqual([...new Set(listed)].sort(), COMMANDS.map(({ name }) => name).sort());
  });

  test('every key of the recipe has a description', () => {
    const missing: string[] = [];
    const visit = (schema: unknown, at: string): void => {
      if (typeof schema !== 'object' || schema === null) return;
      const { properties, ...rest } = schema as { properties?: Record<string, { description?: string }> };
      for (const [key, property] of Object.entries(properties ?? {})) {
        if ((property.description ?? '') === '') missing.push(`${at}.${key}`);
        visit(property, `${at}.${key}`);
      }
      for (const [key, part] of Object.entries(rest)) {
        if (Array.isArray(part)) for (const item of part) visit(item, at);
        else if (key === 'items') visit(part, at);
      }
    };
    visit(z.toJSONSchema(recipeSchema), '');
    assert.deepEqual(missing, []);
  });
});
