/**
 * Writes ThirdPartyNotices.txt: name, version, licence and licence text of everything the product ships.
 * With `--check` it writes nothing and fails where the file is not what it would write.
 *
 * The text must be the same on every machine. So the packages come from the lock file, and those that npm installs
 * on some platforms only (`optional` there) are listed by their metadata, never by what happens to be installed.
 */

import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './setup.mjs';

const FILE = join(ROOT, 'ThirdPartyNotices.txt');
const RULE = '='.repeat(80);
const LICENCE_FILE = /^(licen[cs]e|copying|notice|thirdpartynotices)(\.(md|txt))?$/i;

/** Copyright lines of packages that state an MIT licence but carry no file of it, from their repositories. */
const MIT_COPYRIGHT = {
  'onnxruntime-common': 'Copyright (c) Microsoft Corporation',
  'onnxruntime-node': 'Copyright (c) Microsoft Corporation',
};

const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1);
const tidy = (text) =>
  text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[ \t]+$/gm, '')
    .trim();

function readPackages() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([path, entry]) => path !== '' && !entry.dev && !entry.devOptional)
    .map(([path, entry]) => ({
      path,
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version: entry.version,
      licence: entry.license ?? 'not stated',
      optional: entry.optional === true,
    }))
    .sort(byName);
}

/** The standard terms are those of our own licence file, below its copyright line. */
function mitText(copyright) {
  const [, terms] = tidy(readFileSync(join(ROOT, 'LICENSE'), 'utf8')).split(/^Copyright .*$/m);
  return `MIT License\n\n${copyright}\n\n${terms.trim()}`;
}

function licenceText({ path, name, licence }) {
  const folder = join(ROOT, path);
  const files = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .sort();
  if (files.length > 0) return files.map((file) => tidy(readFileSync(join(folder, file), 'utf8'))).join('\n\n');
  if (name in MIT_COPYRIGHT) return mitText(MIT_COPYRIGHT[name]);
  const terms = licence.match(/[\w.-]+/g).filter((word) => !['AND', 'OR', 'WITH'].includes(word));
  const links = terms.map((id) => `  https://spdx.org/licenses/${id}.html`);
  return ['The package carries no licence file. Its terms:', ...links].join('\n');
}

function section(entry) {
  return `${RULE}\n${entry.name} ${entry.version}\nLicence: ${entry.licence}\n\n${licenceText(entry)}\n`;
}

function platformSection(entries) {
  const lines = entries.map(({ name, version, licence }) => `  ${name} ${version}: ${licence}`);
  return [
    RULE,
    'Packages for one platform each, of which an installation holds those of its own.',
    'The texts of these licences are at https://spdx.org/licenses/. The libvips packages',
    'are shared libraries, loaded at run time and replaceable; their sources are at',
    'https://github.com/lovell/sharp-libvips.',
    '',
    ...lines,
    '',
  ].join('\n');
}

function notices() {
  const packages = readPackages();
  const everywhere = packages.filter(({ optional }) => !optional);
  const somewhere = packages.filter(({ optional }) => optional);
  const head = 'Quantscope ships or uses the packages below, each under its own licence.\n';
  return [head, ...everywhere.map(section), platformSection(somewhere)].join('\n');
}

const text = notices();
if (process.argv.includes('--check')) {
  let written = '';
  try {
    written = readFileSync(FILE, 'utf8').replaceAll('\r\n', '\n');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  if (written !== text) {
    console.error('ThirdPartyNotices.txt is out of date: run `npm run notices`.');
    process.exitCode = 1;
  }
} else {
  writeFileSync(FILE, text);
}
