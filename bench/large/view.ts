/** The layer view's own bundle in Chromium, answered by the extension's own functions; what a person waits for. */

import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { layerFacts, reportFacts, rowPage } from '../../src/extension/layerView/reportView';
import type { Subject } from '../../src/extension/layerView/subject';
import { answerView, type ViewHandlers, type ViewState } from '../../src/shared/viewProtocol';

const BUNDLE = path.join(__dirname, '../../dist/webview');
const SIZE = { width: 1600, height: 1000 };

/** The colours that a theme of the editor would bring. */
const THEME = `:root { --vscode-editor-background: #1f1f1f; --vscode-editor-foreground: #ccc; --vscode-panel-border: #333;
  --vscode-charts-blue: #59a4f9; --vscode-charts-yellow: #cca700; --vscode-charts-red: #f14c4c;
  --vscode-charts-purple: #b180d7; --vscode-charts-green: #89d185; --vscode-descriptionForeground: #9d9d9d;
  --vscode-editorError-foreground: #f14c4c; --vscode-focusBorder: #0078d4; --vscode-font-family: sans-serif; }`;

/** A page with what its main thread has worked, which other programs of the machine do not change much. */
export interface View {
  readonly page: Page;
  /** Milliseconds from the start of its script to the frame behind the first complete drawing. */
  readonly drawn: number;
  /** Milliseconds of its main thread's own time so far. */
  readonly work: () => Promise<number>;
}

export interface Frames {
  /** Milliseconds of the main thread's own time for a frame. */
  readonly work: number;
  readonly perSecond: number;
  /** Milliseconds between two frames. */
  readonly median: number;
  readonly p95: number;
  readonly longest: number;
}

/** What the page's script keeps for us. */
interface Probe {
  drawn?: number;
  acquireVsCodeApi?: unknown;
  answer?: (message: unknown) => Promise<string>;
}

function handlersOf(subject: Subject): ViewHandlers {
  const state: ViewState = {
    source: { target: 'file:///large.onnx', base: null },
    ...{
      title: 'large.onnx',
      job: null,
      trying: null,
      failure: null,
      stale: [],
      obstacle: null,
      threshold: 20,
      selected: null,
    },
    content: { kind: 'report', report: reportFacts(subject) },
  };
  const nothing = (): null => null;
  return {
    state: () => state,
    rows: ({ start }) => rowPage(subject, start),
    layer: ({ layer }) => layerFacts(subject, layer),
    measurements: ({ layer }) => ({ layer, activations: [], weights: [], notes: [] }),
    ...{
      select: nothing,
      fix: nothing,
      repair: nothing,
      price: nothing,
      openSample: nothing,
      act: nothing,
      source: nothing,
    },
    save: () => false,
  };
}

async function workOf(page: Page): Promise<View['work']> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return 1e3 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN);
  };
}

export async function openView(browser: Browser, subject: Subject): Promise<View> {
  const page = await browser.newPage({ viewport: SIZE });
  page.on('pageerror', (error) => {
    throw error;
  });
  const handlers = handlersOf(subject);
  const work = await workOf(page);
  // As text, which is how the editor carries messages between the extension and a view.
  await page.exposeFunction('answer', async (message: unknown) => JSON.stringify(await answerView(message, handlers)));
  await page.setContent(`<!DOCTYPE html><html><head><style>${THEME}</style></head><body></body></html>`);
  await page.addStyleTag({ path: path.join(BUNDLE, 'layers.css') });
  // The compiler keeps names of functions by a helper that the page does not have.
  await page.addScriptTag({ content: 'globalThis.__name = (named) => named;' });
  await page.evaluate(() => {
    const probe = globalThis as Probe;
    probe.acquireVsCodeApi = () => ({
      getState: () => undefined,
      setState: () => undefined,
      postMessage: (message: unknown) => {
        void probe.answer!(message).then((text) => {
          dispatchEvent(new MessageEvent('message', { data: JSON.parse(text) as unknown }));
        });
      },
    });
    const start = performance.now();
    const look = (): void => {
      if (document.querySelector('.grid .row[data-layer]') === null) requestAnimationFrame(look);
      // The frame behind the one that drew it, when it is on the screen.
      else requestAnimationFrame(() => requestAnimationFrame(() => (probe.drawn = performance.now() - start)));
    };
    look();
  });
  await page.addScriptTag({ content: readFileSync(path.join(BUNDLE, 'layers.js'), 'utf8') });
  const drawn = await page.waitForFunction(() => (globalThis as Probe).drawn);
  return { page, work, drawn: (await drawn.jsonValue()) ?? NaN };
}

export type Action = 'zoom' | 'hover' | 'scroll';

/** Does something in every frame for a while: the wheel in and out, the pointer over the chart, the table. */
export async function animate({ page, work }: View, action: Action, milliseconds: number): Promise<Frames> {
  const before = await work();
  const { gaps: count, ...frames } = await page.evaluate(
    async ({ action: what, milliseconds: duration }) => {
      const overlay = document.querySelector('.overlay')!;
      const grid = document.querySelector('.grid')!;
      const box = overlay.getBoundingClientRect();
      const at = { bubbles: true, cancelable: true, clientY: box.top + box.height / 3 };
      const steps: Record<typeof what, (part: number, frame: number) => void> = {
        zoom: (_, frame) => {
          const deltaY = frame % 80 < 40 ? -40 : 40;
          overlay.dispatchEvent(new WheelEvent('wheel', { ...at, clientX: box.left + box.width * 0.4, deltaY }));
        },
        hover: (part) => {
          overlay.dispatchEvent(
            new PointerEvent('pointermove', { ...at, clientX: box.left + 50 + part * (box.width - 70) }),
          );
        },
        scroll: (part) => {
          grid.scrollTop = part * (grid.scrollHeight - grid.clientHeight);
        },
      };
      const frame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));
      const times = [await frame()];
      while (times.at(-1)! - times[0]! < duration) {
        steps[what]((times.at(-1)! - times[0]!) / duration, times.length);
        times.push(await frame());
      }
      const gaps = times.slice(1).map((time, i) => time - times[i]!);
      const sorted = gaps.toSorted((a, b) => a - b);
      const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
      const whole = times.at(-1)! - times[0]!;
      return {
        gaps: gaps.length,
        perSecond: (1e3 * gaps.length) / whole,
        median: quantile(0.5),
        p95: quantile(0.95),
        longest: quantile(1),
      };
    },
    { action, milliseconds },
  );
  return { ...frames, work: ((await work()) - before) / count };
}
