/** Elements without markup: names out of models only ever become text. */

export interface Attributes {
  readonly class?: string;
  readonly text?: string;
  readonly title?: string | undefined;
  readonly role?: string;
  readonly id?: string;
  readonly type?: string;
  readonly for?: string;
  readonly value?: string;
  readonly placeholder?: string;
  readonly tabindex?: number;
  readonly disabled?: boolean;
  readonly checked?: boolean;
  readonly hidden?: boolean;
  readonly scope?: string;
  readonly colspan?: number;
  readonly onclick?: (event: MouseEvent) => void;
  readonly onchange?: () => void;
  readonly oninput?: () => void;
  readonly [aria: `aria-${string}`]: string | number | boolean | undefined;
  readonly [data: `data-${string}`]: string | number | undefined;
}

export type Child = Node | string | null | undefined | false;

/** An element with attributes, listeners and children; strings become text. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes) as [string, Attributes[keyof Attributes]][]) {
    if (value === undefined || value === false) {
      // `aria-pressed="false"` says something; `disabled="false"` would be wrong.
      if (value === false && key.startsWith('aria-')) element.setAttribute(key, 'false');
    } else if (key === 'text') {
      element.textContent = String(value);
    } else if (typeof value === 'function') {
      element.addEventListener(key.slice(2), value as EventListener);
    } else {
      element.setAttribute(key, value === true && !key.startsWith('aria-') ? '' : String(value));
    }
  }
  append(element, children);
  return element;
}

export function append(element: Element, children: readonly Child[]): void {
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  append(element, children);
  return element;
}

/** Replaces what an element holds, and keeps the keyboard focus on the control with the same `data-key`. */
export function fill(element: Element, ...children: readonly Child[]): void {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const key = focused instanceof HTMLElement ? focused.dataset['key'] : undefined;
  element.replaceChildren();
  append(element, children);
  if (key === undefined) return;
  const again = [...element.querySelectorAll<HTMLElement>('[data-key]')].find(({ dataset }) => dataset['key'] === key);
  again?.focus({ preventScroll: true });
}
