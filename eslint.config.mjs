import { builtinModules } from 'node:module';
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// --- Walls: what each folder may import (see ARCHITECTURE.md) -------------------------------------------------------

const TESTS = '**/*.test.ts';

/** Node modules that reach beyond this process. */
const OUTSIDE_WORLD = ['child_process', 'cluster', 'dgram', 'dns', 'http', 'http2', 'https', 'inspector', 'net', 'tls'];

const NODE_ONLY = ['process', 'Buffer', '__dirname', '__filename', 'global', 'require', 'setImmediate'];

/**
 * One entry per folder. `imports`: which of our folders it may import; `builtins`: Node modules it may not;
 * `globals`: names it may not use. Folders stand under `src/`, unless they have a `root` of their own.
 */
const FOLDERS = {
  shared: { imports: [], builtins: builtinModules, globals: [...NODE_ONLY, 'fetch'] },
  core: { imports: ['shared'], builtins: OUTSIDE_WORLD, globals: ['fetch', 'WebSocket'] },
  engine: { imports: ['core', 'shared', 'torch'] },
  server: { imports: ['core', 'shared'] },
  // The client starts the engine and speaks to it; it imports nothing of ours but shared.
  cli: { imports: ['core', 'shared', 'engine/client'] },
  torch: { imports: ['core', 'shared'] },
  extension: { imports: ['shared', 'engine/client'] },
  // Its tests run in Node; it runs in a browser.
  webview: { imports: ['src/shared'], root: 'webview', builtins: builtinModules, globals: NODE_ONLY },
};

/** Folders below a wall's own folder, at most this deep; the pattern of a relative import depends on the depth. */
const DEEPEST = 5;

const anyOf = (names) => names.map((name) => name.replaceAll('.', '\\.')).join('|');

const CROOKED = {
  regex: '^/|^\\./(?:.*/)?\\.\\./|^\\.\\./(?:.*/)?[^./][^/]*/\\.\\./',
  message: 'Write the shortest relative path.',
};
const VSCODE = { regex: '^vscode$', message: 'Only src/extension imports vscode.' };
const RUNTIME = { regex: '^onnxruntime-', message: 'Only src/core/runtime imports onnxruntime.' };

function folderWall(name, imports, depth, forTests) {
  const allowed = [...imports, ...(forTests ? ['\\.\\./test'] : [])].map((folder) => `${folder}(?:/|$)`);
  const manifest = name === 'shared' || name === 'webview' ? [] : ['\\.\\./package\\.json$'];
  const exceptions = [...allowed, ...manifest].join('|');
  return {
    regex: `^(?:\\.\\./){${String(depth + 1)}}${exceptions === '' ? '' : `(?!${exceptions})`}`,
    message: `${name} imports ${imports.length === 0 ? 'nothing of ours' : `only ${imports.join(' and ')}`}.`,
  };
}

function builtinWall(name, modules) {
  return { regex: `^(?:node:)?(?:${anyOf(modules)})(?:/|$)`, message: `${name} does not use this module of Node.` };
}

const NO_ENUM = { selector: 'TSEnumDeclaration', message: 'Use a union of strings and an `as const` table.' };

/** The same patterns for `import … from` and, which that rule does not see, for `import(…)`. */
function importRules(patterns) {
  const dynamic = patterns.map(({ regex, message }) => ({
    // A selector's regular expression cannot hold a slash.
    selector: `ImportExpression[source.value=/${regex.replaceAll('/', '\\u002F')}/]`,
    message,
  }));
  return {
    'no-restricted-imports': ['error', { patterns }],
    'no-restricted-syntax': ['error', NO_ENUM, ...dynamic],
  };
}

function wallsOf([name, { imports, builtins = [], globals = [], root = `src/${name}` }]) {
  const configs = [];
  for (let depth = 0; depth <= DEEPEST; depth += 1) {
    const files = `${root}/${'*/'.repeat(depth)}*.{ts,tsx}`;
    const common = [CROOKED, ...(name === 'extension' ? [] : [VSCODE])];
    const native = builtins.length === 0 ? [] : [builtinWall(name, builtins)];
    const wall = folderWall(name, imports, depth, false);
    configs.push(
      { files: [files], rules: importRules([...common, wall, ...native, RUNTIME]) },
      // Tests may start processes, and ask the runtime's own kernels as an oracle.
      { files: [[files, TESTS]], rules: importRules([...common, folderWall(name, imports, depth, true)]) },
    );
    if (name === 'core' && depth > 0) {
      const runtimeFiles = `src/core/runtime/${'*/'.repeat(depth - 1)}*.ts`;
      configs.push({ files: [runtimeFiles], ignores: [TESTS], rules: importRules([...common, wall, ...native]) });
    }
  }
  if (globals.length > 0) {
    configs.push({
      files: [`${root}/**/*.{ts,tsx}`],
      ignores: [TESTS],
      rules: { 'no-restricted-globals': ['error', ...globals] },
    });
  }
  return configs;
}

// --- The rest -------------------------------------------------------------------------------------------------------

const NODE_GLOBALS = Object.fromEntries(['console', 'process', 'URL', 'Buffer'].map((name) => [name, 'readonly']));

const typescript = {
  files: ['**/*.{ts,tsx}'],
  extends: [js.configs.recommended, tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
  languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
  rules: {
    ...importRules([CROOKED, VSCODE]),
    '@typescript-eslint/array-type': ['error', { default: 'array' }],
    '@typescript-eslint/consistent-type-exports': 'error',
    '@typescript-eslint/consistent-type-imports': 'error',
    '@typescript-eslint/explicit-module-boundary-types': 'error',
    '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    '@typescript-eslint/no-explicit-any': 'error',
    // Reads of typed arrays inside their bounds need `!` under noUncheckedIndexedAccess.
    '@typescript-eslint/no-non-null-assertion': 'off',
    '@typescript-eslint/no-floating-promises': [
      'error',
      {
        allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: ['test', 'describe', 'it', 'suite'] }],
      },
    ],
    '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
    '@typescript-eslint/parameter-properties': 'error',
    '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    '@typescript-eslint/switch-exhaustiveness-check': ['error', { requireDefaultForNonUnion: true }],
    'max-lines': ['error', { max: 400 }],
    'no-console': 'error',
    'no-restricted-exports': [
      'error',
      {
        restrictDefaultExports: { direct: true, named: true, defaultFrom: true, namedFrom: true, namespaceFrom: true },
      },
    ],
    'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'] }],
    eqeqeq: 'error',
  },
};

export default defineConfig(
  { ignores: ['dist/', 'coverage/', '.vscode-test/', '**/*_pb.ts', '**/*.quant/', 'test/fixtures/'] },
  { linterOptions: { noInlineConfig: true } },
  typescript,
  {
    files: ['**/*.mjs'],
    extends: [js.configs.recommended],
    languageOptions: { globals: NODE_GLOBALS },
  },
  ...Object.entries(FOLDERS).flatMap(wallsOf),
  // These run inside the extension host.
  { files: ['test/vscode/suite/**/*.ts'], rules: importRules([CROOKED]) },
  { files: ['src/cli/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    files: [TESTS],
    rules: {
      '@typescript-eslint/no-empty-function': 'off',
      // A stand-in for an asynchronous function often has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
    },
  },
);
