/** Everything that package.json declares by name. `ids.test.ts` holds both against each other. */

/** In which order the layers tree shows the layers. */
export const LAYER_ORDERS = ['graph', 'error'] as const;
export type LayerOrder = (typeof LAYER_ORDERS)[number];

export const COMMANDS = [
  'quantize',
  'inspect',
  'benchmark',
  'benchmarkPair',
  'compareModels',
  'findCulprits',
  'measurePrices',
  'stopPrices',
  'explainSpeed',
  'tune',
  'openLayerView',
  'openRecipe',
  'exportOnnx',
  'cancel',
  'trySample',
  'showLog',
  'restartEngine',
  'selectPython',
  'models.refresh',
  'models.reveal',
  'layers.sortByGraph',
  'layers.sortByError',
  'layers.filterText',
  'layers.filterStatus',
  'layers.clearFilter',
  'layers.goToProducer',
  'layers.goToConsumer',
  'layers.showMore',
  'layers.copyName',
  'layers.excludeLayer',
  'layers.showFixes',
  'layers.showInView',
  'layers.goToSource',
  'runs.open',
  'runs.compare',
  'applyFix',
  'afterFix',
] as const;
export type CommandName = (typeof COMMANDS)[number];
export type CommandId = `quantscope.${CommandName}`;

export const VIEWS = { models: 'quantscope.models', layers: 'quantscope.layers', runs: 'quantscope.runs' } as const;
export type ViewId = (typeof VIEWS)[keyof typeof VIEWS];

/**
 * The tools for agents, with what each does to the files: a copy of what `shared/agents/tools.ts` says, which is only
 * loaded once a tool is called.
 */
export const TOOLS = {
  list_layers: 'reads',
  explain_layer: 'reads',
  try_fixes: 'runs',
  run: 'writes',
  tune: 'writes',
  benchmark: 'runs',
} as const;

/** Context keys that `when` clauses read, with what they may be. */
export interface ContextKeys {
  /** A job runs. */
  'quantscope.running': boolean;
  /** Fixes are tried in the background, or wait for that. */
  'quantscope.tryingFixes': boolean;
  /** The search for models has ended once. */
  'quantscope.modelsLoaded': boolean;
  /** The layers tree shows a model. */
  'quantscope.hasLayers': boolean;
  'quantscope.layersFiltered': boolean;
  'quantscope.layerOrder': LayerOrder;
  /** Paths of the files that a PyTorch recipe names: more can be done with them than with other Python files. */
  'quantscope.torchModels': readonly string[];
  /** Paths of these recipes. */
  'quantscope.torchRecipes': readonly string[];
}
export const CONTEXT_KEYS = [
  'quantscope.running',
  'quantscope.tryingFixes',
  'quantscope.modelsLoaded',
  'quantscope.hasLayers',
  'quantscope.layersFiltered',
  'quantscope.layerOrder',
  'quantscope.torchModels',
  'quantscope.torchRecipes',
] as const satisfies readonly (keyof ContextKeys)[];

export const RUN_AFTER_FIX = ['ask', 'always', 'never'] as const;

/** When fixes are tried. */
export const MEASURE_PRICES = ['automatically', 'onRequest'] as const;

/** Settings below `quantscope.`; the defaults equal those of package.json. */
export interface Settings {
  threads: number;
  memoryCap: number;
  threshold: number;
  maxFindings: number;
  runAfterFix: (typeof RUN_AFTER_FIX)[number];
  'prices.measure': (typeof MEASURE_PRICES)[number];
  'benchmark.runs': number;
  'benchmark.threads': number;
  python: string;
  'engine.node': string;
  'trace.server': 'off' | 'messages' | 'verbose';
}
export const SETTING_DEFAULTS: Settings = {
  threads: 0,
  memoryCap: 2048,
  threshold: 20,
  maxFindings: 20,
  runAfterFix: 'ask',
  'prices.measure': 'automatically',
  'benchmark.runs': 100,
  'benchmark.threads': 1,
  python: '',
  'engine.node': '',
  'trace.server': 'off',
};
