/** A control that is drawn anew between its press and its release gets no click. */

const CONTROLS = 'button, a, input, select, summary';

/** @returns what calls a function at once, or, while a control is pressed, when it is let go */
export function watchPresses(): (draw: () => void) => void {
  const waiting: (() => void)[] = [];
  let pressed = false;
  const press = ({ target }: Event): void => {
    pressed = target instanceof Element && target.closest(CONTROLS) !== null;
  };
  const release = (): void => {
    pressed = false;
    for (const draw of waiting.splice(0)) draw();
  };
  addEventListener('pointerdown', press, true);
  addEventListener('keydown', (event) => event.key === ' ' && press(event), true);
  for (const type of ['pointerup', 'pointercancel', 'keyup']) {
    // The click follows in the same turn.
    addEventListener(type, () => setTimeout(release), true);
  }
  // Of the page; elements that lose the focus, as a press makes them, tell only those who capture.
  addEventListener('blur', release);
  return (draw) => {
    if (pressed) waiting.push(draw);
    else draw();
  };
}
