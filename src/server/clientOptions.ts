/** What a client says about itself when it starts the server (`initializationOptions`); each part may be left out. */

import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { DEFAULT_SETTINGS, type ServerSettings } from './analysis';

const settingsSchema = z.object({
  threshold: z.number().catch(DEFAULT_SETTINGS.threshold),
  maxFindings: z.int().nonnegative().catch(DEFAULT_SETTINGS.maxFindings),
});

const optionsSchema = z.object({
  /** Commands that the client offers; code lenses and quick fixes use no others. */
  commands: z.array(z.string()).catch([]),
  /** URI of the folder with `diagnostics.md`. */
  docs: z.string().catch(''),
  /** For clients that answer no `workspace/configuration`. */
  settings: settingsSchema.catch(DEFAULT_SETTINGS),
  /** `false` where another extension checks recipes by the schema that this package ships. */
  schemaDiagnostics: z.boolean().catch(true),
});

export interface ClientOptions {
  readonly commands: ReadonlySet<string>;
  readonly docs: string;
  readonly settings: ServerSettings;
  readonly schemaDiagnostics: boolean;
}

/** Bundled the server lies in `dist`, beside which the documentation is. */
const DOCS = pathToFileURL(path.join(__dirname, '..', 'docs')).toString();

export function clientOptions(value: unknown): ClientOptions {
  const { commands, docs, settings, schemaDiagnostics } = optionsSchema.parse(
    typeof value === 'object' && value !== null ? value : {},
  );
  return {
    commands: new Set(commands),
    docs: docs === '' ? DOCS : docs.replace(/\/$/, ''),
    settings,
    schemaDiagnostics,
  };
}

/** Settings as the client sends them; what is missing or wrong is the default. */
export function readSettings(value: unknown): ServerSettings {
  return settingsSchema.parse(typeof value === 'object' && value !== null ? value : {});
}
