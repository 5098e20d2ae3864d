/** Every command, in the order of the help. */

import type { Command } from './command';
import { benchmark } from './commands/benchmark';
import { compare } from './commands/compare';
import { culprits } from './commands/culprits';
import { evaluate } from './commands/evaluate';
import { exportToOnnx } from './commands/export';
import { fixes } from './commands/fixes';
import { init } from './commands/init';
import { inspect } from './commands/inspect';
import { layers } from './commands/layers';
import { quantize } from './commands/quantize';
import { run } from './commands/run';
import { lsp, mcp } from './commands/servers';
import { tune } from './commands/tune';

export const COMMANDS: readonly Command[] = [
  inspect,
  init,
  quantize,
  run,
  exportToOnnx,
  layers,
  culprits,
  compare,
  fixes,
  tune,
  evaluate,
  benchmark,
  lsp,
  mcp,
];
