/** Colours of the editor's theme for what is drawn on a canvas, where CSS does not reach. */

export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly background: string;
  readonly grid: string;
  readonly quantized: string;
  readonly float: string;
  readonly fallback: string;
  readonly problem: string;
  readonly culprit: string;
  readonly amplifier: string;
  readonly victim: string;
  readonly harmless: string;
  readonly line: string;
  readonly ghost: string;
  readonly focus: string;
  readonly font: string;
  readonly highContrast: boolean;
}

/** The custom properties of `layers.css` that name the parts of the drawing. */
const NAMES = {
  text: '--text',
  muted: '--muted',
  background: '--background',
  grid: '--grid',
  quantized: '--quantized',
  float: '--float',
  fallback: '--fallback',
  problem: '--problem',
  culprit: '--culprit',
  amplifier: '--amplifier',
  victim: '--victim',
  harmless: '--harmless',
  line: '--line',
  ghost: '--ghost',
  focus: '--focus',
} as const;

export function readPalette(): Palette {
  const style = getComputedStyle(document.body);
  const colours = Object.fromEntries(
    Object.entries(NAMES).map(([part, name]) => [part, style.getPropertyValue(name).trim() || style.color]),
  ) as Record<keyof typeof NAMES, string>;
  return { ...colours, font: style.fontFamily, highContrast: isHighContrast() };
}

function isHighContrast(): boolean {
  return /\bvscode-high-contrast\b/.test(document.body.className);
}

/** Whether nothing is to move: the system's wish, or the editor's. */
export function motionReduced(): boolean {
  return (
    document.body.classList.contains('vscode-reduce-motion') || matchMedia('(prefers-reduced-motion: reduce)').matches
  );
}

/** The editor writes its colours into the style of the root and the kind of theme into the classes of the body. */
export function onThemeChange(react: () => void): void {
  const observer = new MutationObserver(react);
  observer.observe(document.documentElement, { attributeFilter: ['style', 'class'] });
  observer.observe(document.body, { attributeFilter: ['class'] });
}
