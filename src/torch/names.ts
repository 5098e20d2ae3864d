import * as path from 'node:path';

/** `net` of `net.py:build`, `net.pt` and `package.net:build`: what the results of a model are called after. */
export function modelName(model: string): string {
  const { name, ext } = path.parse(model);
  return ext.startsWith('.py') || !ext.includes(':') ? name : ext.slice(1, ext.indexOf(':'));
}
