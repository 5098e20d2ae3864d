/**
 * A model as the runtime deploys it: optimized once, opened as often as somebody measures it. Optimizing is what makes
 * opening grow faster than the model, above all with Q/DQ pairs; the graph that came out of it opens in a twelfth of the
 * time at 1,000 layers, and is the same kernels in the same order, so that every figure is of the model as a user's
 * session runs it.
 */

import type { OnnxModel } from '../onnx/model';
import { optimizeModel } from './inspect';
import { openSession, type OptimizationLevel, type Session } from './session';

type Optimized = Exclude<OptimizationLevel, 'disabled'>;

/** Goes with the model it is of. */
const known = new WeakMap<OnnxModel, Map<Optimized, Promise<OnnxModel>>>();

/**
 * The graph as the runtime optimizes it at a level, made once for each model; neither is to be edited.
 * @throws `runtime-rejected`, `custom-op`
 */
export function optimizedModel(model: OnnxModel, level: Optimized): Promise<OnnxModel> {
  const levels = known.get(model) ?? new Map<Optimized, Promise<OnnxModel>>();
  known.set(model, levels);
  const found = levels.get(level);
  if (found !== undefined) return found;
  const made = optimizeModel(model, level);
  levels.set(level, made);
  made.catch(() => levels.delete(level));
  return made;
}

/**
 * A session of the model at level `all`.
 * @throws what {@link openSession} throws
 */
export async function openDeployed(model: OnnxModel, options: { readonly threads?: number } = {}): Promise<Session> {
  let optimized: OnnxModel;
  try {
    optimized = await optimizedModel(model, 'all');
  } catch {
    // Too large to be written as one file, or refused, which this tells in the runtime's own words.
    return openSession(model, options);
  }
  return openSession(optimized, { ...options, level: 'disabled' });
}
