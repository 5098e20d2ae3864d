import assert from 'node:assert/strict';
import * as path from 'node:path';
import { test } from 'node:test';
import { runPython } from '../../test/helpers/torch';
import { IMAGES, folder, python, quantize, reason, reproduces } from '../../test/helpers/torchModes';
import { changeRecipe } from '../shared/recipeEdit';
import type { Recipe } from '../shared/recipe';
import type { Report } from '../shared/report';
import { suggestFixes } from '../shared/suggest';
import { comparedOf } from '../shared/measured';

const PRELU = '1';
const RRELU = '3';
const SLOPES = '5';

const run = (more: Partial<Recipe> = {}): Promise<Report> => quantize('twinned', 'static', 'images.npy', more);

/** Whether the model that the script beside a result loads computes the same bits as the user's. */
function equalsOriginal({ quantized }: Report): boolean {
  const code = `
import sys, torch, modes
sys.path.insert(0, ${JSON.stringify(path.dirname(quantized!.path))})
import reproduce
x = torch.randn(64, 3, 16, 16)
with torch.no_grad():
    print(torch.equal(modes.twinned().eval()(x), reproduce.load_model().eval()(x)))`;
  return runPython(python, folder, '-c', code) === 'True';
}

test(
  'an activation that an equal module can stand for is fixed by it: the same bits in float, and int8',
  { skip: reason },
  async () => {
    const before = await run();
    const twinOf = (report: Report, name: string): string | undefined =>
      report.layers.find((layer) => layer.name === name)?.twin;
    assert.deepEqual(
      [PRELU, RRELU, SLOPES].map((name) => twinOf(before, name)),
      ['LeakyReLU', 'LeakyReLU', undefined],
    );
    const fixes = [PRELU, RRELU].map((name) => suggestFixes(before, name)[0]);
    assert.deepEqual(
      fixes.map((fix) => [fix?.kind, fix?.preferred]),
      [
        ['twin', true],
        ['twin', true],
      ],
    );
    assert.ok(suggestFixes(before, SLOPES).every(({ kind }) => kind !== 'twin'));

    const fixed = fixes.reduce((recipe, fix) => changeRecipe(recipe, fix!.change) as Partial<Recipe>, {});
    const after = await run(fixed);
    for (const name of [PRELU, RRELU]) {
      const layer = after.layers.find((each) => each.name === name);
      assert.deepEqual([layer?.op, layer?.status, layer?.twin], ['LeakyReLU', 'quantized', undefined]);
      assert.ok((comparedOf(layer?.local)?.sqnr ?? 0) > 30, `${name}: ${comparedOf(layer?.local)?.sqnr} dB`);
    }
    assert.ok(equalsOriginal(after));
    assert.ok(reproduces(after, IMAGES));
  },
);

test('a path without such a module is refused', { skip: reason }, async () => {
  const of = (twin: string): Promise<Report> => run({ torch: { twins: [twin] } });
  await assert.rejects(of('nowhere.act'), { code: 'recipe-invalid', message: /no module "nowhere\.act"/ });
  await assert.rejects(of('0'), { code: 'recipe-invalid', message: /"0" is Conv2d/ });
  await assert.rejects(of(SLOPES), { code: 'recipe-invalid', message: /"5" is PReLU.*equal slopes/ });
});
