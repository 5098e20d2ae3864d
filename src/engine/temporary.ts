import * as os from 'node:os';

/**
 * How the names of engines' temporary folders begin; the process id of the client follows. With the name of the
 * machine, because containers may share a folder for temporary files, and not their process ids.
 */
export const TEMPORARY_PREFIX = `quantscope-engine-${os.hostname()}-`;
