/** A process that is killed while it replaces the file that its argument names. */

import { replaceFile } from '../../src/core/files';

void replaceFile(process.argv[2] ?? '', async (handle) => {
  await handle.writeFile('{ "half":');
  process.kill(process.pid, 'SIGKILL');
  // The signal comes a moment later.
  await new Promise(() => undefined);
});
