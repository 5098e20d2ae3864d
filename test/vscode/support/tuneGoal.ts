import { eventually } from './eventually';
import type { Workbench } from './workbench';

/** Of the three goals that Tune asks for only the SQNR; its figure is asked for next. */
export async function chooseSqnr(window: Workbench): Promise<void> {
  await window.pick('Largest accuracy drop');
  await window.pick('Least SQNR of the outputs');
  await window.accept();
  await eventually(
    () => window.quickInput.locator('input[type="text"]').first().inputValue(),
    (value) => value === '20',
  );
}
