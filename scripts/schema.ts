/**
 * Writes what is made from the recipe's schema and the table of diagnostics: `npm run generate:schema`.
 * `test/generated.test.ts` fails where a file is not what this would write.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { z } from 'zod';
import { AGENT_TOOL_NAMES, AGENT_TOOLS } from '../src/shared/agents/tools';
import { recipeSchema } from '../src/shared/recipe';
import { diagnosticsDocument } from '../src/server/codes';
import { keyInfo, keysAt, kindOf, type KeyInfo } from '../src/server/schema';

export const ROOT = join(__dirname, '..');

/** Path of each file that is made, or of which a part is, with all of its text. */
export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  const made = [
    ['schemas/recipe.schema.json', schemaText()],
    ['docs/diagnostics.md', diagnosticsDocument()],
    ['package.json', withTools(readFileSync(join(ROOT, 'package.json'), 'utf8'))],
    ['README.md', withReference(readFileSync(join(ROOT, 'README.md'), 'utf8'))],
  ] as const;
  const formatted = made.map(async ([file, text]) => {
    const config = await resolveConfig(join(ROOT, file));
    return [file, await format(text, { ...config, filepath: file })] as const;
  });
  return new Map(await Promise.all(formatted));
}

/** Draft 7 is what editors read. */
function schemaText(): string {
  const schema = z.toJSONSchema(recipeSchema, { target: 'draft-7' });
  const title = {
    title: 'Quantscope recipe',
    description: 'Everything decided about one quantization: NAME.quant.yaml.',
  };
  return JSON.stringify({ $schema: schema.$schema, ...title, ...schema });
}

/** The manifest with the tools for agents, which the editor shows to its language models. */
function withTools(text: string): string {
  const manifest = JSON.parse(text) as { contributes: Record<string, unknown> };
  manifest.contributes['languageModelTools'] = AGENT_TOOL_NAMES.map((name) => {
    const { title, description, effect, input } = AGENT_TOOLS[name];
    const { type, properties, required } = z.toJSONSchema(input, { target: 'draft-7' });
    return {
      name: `quantscope_${name}`,
      displayName: title,
      modelDescription: `${description} Paths are absolute, or start at the first folder of the workspace.`,
      userDescription: description,
      canBeReferencedInPrompt: true,
      toolReferenceName: `quantscope${pascal(name)}`,
      icon: '$(graph-scatter)',
      // Reading needs no trust; running a model does.
      ...(effect === 'reads' ? {} : { when: 'isWorkspaceTrusted' }),
      inputSchema: { type, properties, required },
    };
  });
  return JSON.stringify(manifest);
}

function pascal(name: string): string {
  return name.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase());
}

const BEGIN = '<!-- recipe reference: made by `npm run generate:schema` -->';
const END = '<!-- end of the recipe reference -->';

function withReference(readme: string): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error('README.md has lost the marks around the recipe reference.');
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${referenceTable()}\n\n${readme.slice(end)}`;
}

function referenceTable(): string {
  const rows = keysAt([]).flatMap((info) => rowsOf(info, [info.key]));
  return ['| key | value | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

/** A key, and below it the keys of its block; those of a block that stands elsewhere too are told once. */
function rowsOf({ schema, description, required }: KeyInfo, path: readonly PropertyKey[]): string[] {
  const inList = schema.type === 'array' && schema.items?.properties !== undefined;
  const below = inList ? [...path, 0] : path;
  const name = path
    .map((part) => (typeof part === 'number' ? '[]' : `.${String(part)}`))
    .join('')
    .slice(1);
  const meaning = `${required ? '**Required.** ' : ''}${description}`;
  const row = `| \`${name}\` | ${kindOf(schema).replaceAll('|', '\\|')} | ${meaning.replaceAll('|', '\\|')} |`;
  const told = path.length > 1 && keyInfo([path.at(-1) ?? ''])?.schema.anyOf !== undefined;
  return [row, ...(told ? [] : keysAt(below).flatMap((info) => rowsOf(info, [...below, info.key])))];
}

async function main(): Promise<void> {
  for (const [file, text] of await generatedFiles()) {
    mkdirSync(dirname(join(ROOT, file)), { recursive: true });
    writeFileSync(join(ROOT, file), text);
    console.log(file);
  }
}

if (require.main === module) void main();
