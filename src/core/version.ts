/** Name and version of the program, as they stand in reports and models. */

import { version } from '../../package.json';

export const VERSION = version;
export const TOOL = `quantscope ${version}`;
