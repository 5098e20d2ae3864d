/** The recipe that is looked at: what it changes, why, and a button that writes it. */

import { plural, printable } from '../../src/shared/format';
import type { TuneAction } from '../../src/shared/tuneView';
import { changeText } from '../../src/shared/tuningText';
import { fill, h } from '../layers/dom';
import type { Scene } from './state';

export interface DetailActions {
  readonly act: (action: TuneAction) => void;
  readonly write: (index: number) => void;
}

export class Detail {
  readonly element = h('aside', { class: 'detail', 'aria-label': 'Recipe' });
  readonly #actions: DetailActions;

  constructor(actions: DetailActions) {
    this.#actions = actions;
  }

  update(scene: Scene | undefined): void {
    this.element.hidden = scene === undefined;
    if (scene === undefined) return;
    const { chosen, shown, point, host } = scene;
    const { changes, reached } = point;
    const what = shown === chosen ? 'The best so far' : shown === 0 ? 'The recipe as it was' : `Recipe ${shown + 1}`;
    fill(
      this.element,
      h('h2', { text: shown === chosen && host.status === 'done' ? 'The best' : what }),
      h('p', {
        class: reached ? 'better' : 'worse',
        text: reached ? '✓ It holds the goal.' : '✗ It misses the goal.',
      }),
      h('h3', { text: changes.length === 0 ? 'Nothing is changed' : plural(changes.length, 'change') }),
      h(
        'ol',
        { class: 'changes' },
        ...changes.map(({ change, because }) =>
          h(
            'li',
            {},
            h('span', { class: 'what', text: printable(changeText(change)) }),
            h('span', { class: 'muted', text: printable(because) }),
          ),
        ),
      ),
      h('div', { class: 'actions' }, this.#write(scene), this.#button('openRecipe', 'Open recipe')),
    );
  }

  #write({ shown, host }: Scene): HTMLElement {
    const isThere = host.written === shown || (host.written === null && shown === 0);
    // A disabled button would neither take the focus nor tell why.
    return h('button', {
      type: 'button',
      class: 'button primary',
      'data-key': 'write',
      'aria-disabled': isThere ? true : undefined,
      text: isThere ? 'In the recipe' : 'Write to recipe',
      title: 'One edit of the recipe, which undo takes back.',
      onclick: () => {
        if (!isThere) this.#actions.write(shown);
      },
    });
  }

  #button(action: TuneAction, text: string): HTMLElement {
    return h('button', {
      ...{ type: 'button', class: 'button', 'data-key': action, text },
      onclick: () => {
        this.#actions.act(action);
      },
    });
  }
}
