/** Plan, convert, see what the runtime makes of it, and plan again: until what is planned in int8 runs in int8. */

import { QuantscopeError, throwIfCancelled } from '../../shared/errors';
import type { Backend } from '../backends/types';
import type { Conversion } from '../convert/types';
import type { Concessions, Plan } from '../plan/types';
import type { Verdict } from '../verify/kernels';
import { failing, layersNamedIn, replan, withKin } from '../verify/replan';
import { verdictsOf } from '../verify/verify';
import type { Prepared } from './prepare';

/** What can be planned again. */
export type Plannable = Pick<Prepared, 'graph' | 'plan' | 'planWith'> & { readonly backend: Pick<Backend, 'runsHere'> };

export interface Settled<P, T> {
  /** With the plan that holds. */
  readonly prepared: P;
  readonly conversion: Conversion;
  /** By name; every layer of that plan. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly concessions: Concessions;
  /** What `use` made of the int8 model. */
  readonly used: T;
}

export interface SettleOptions<T> {
  readonly convert: (plan: Plan) => Promise<Conversion>;
  /** The first that runs the int8 model: kernels reject shapes only when they run. */
  readonly use: (conversion: Conversion, plan: Plan) => Promise<T>;
  /** What is known from before. */
  readonly concessions?: Concessions;
  readonly signal?: AbortSignal;
}

/** A round settles all that it finds, and what that frees in another layer is seldom more than one round deep. */
const MOST_ROUNDS = 8;
/** Layers or kinds of them that kernels reject. */
const MOST_REJECTIONS = 64;

/**
 * A plan that holds at once costs one session beside what `use` opens; each further round costs one more, and a conversion.
 * @throws what `convert` and `use` throw where no int8 layer is to blame
 */
export async function settle<P extends Plannable, T>(first: P, options: SettleOptions<T>): Promise<Settled<P, T>> {
  const { signal } = options;
  let concessions = options.concessions ?? new Map();
  let plan = concessions.size === 0 ? first.plan : first.planWith(concessions);
  for (let [rounds, rejections] = [1, 0]; ;) {
    throwIfCancelled(signal);
    let next: Concessions | null;
    try {
      const conversion = await options.convert(plan);
      const verdicts = await verdictsOf(plan, conversion, first.graph);
      // Where the target is another runtime, what this one does not fuse says nothing about it.
      next = first.backend.runsHere && rounds++ < MOST_ROUNDS ? replan(plan, verdicts, concessions) : null;
      if (next === null) {
        const used = await options.use(conversion, plan);
        return { prepared: { ...first, plan }, conversion, verdicts, concessions, used };
      }
    } catch (error) {
      throwIfCancelled(signal);
      if (!isRejection(error) || rejections++ === MOST_REJECTIONS) throw error;
      const rejected = await rejectedLayers(error, plan, concessions, first, options);
      if (rejected.length === 0) throw error;
      next = rejecting(concessions, rejected);
    }
    concessions = next;
    plan = first.planWith(concessions);
  }
}

function isRejection(error: unknown): error is QuantscopeError {
  return error instanceof QuantscopeError && (error.code === 'runtime-rejected' || error.code === 'runtime-failed');
}

/** The int8 layers to blame for an error of the runtime; none where it would come without any of them too. */
async function rejectedLayers<T>(
  error: QuantscopeError,
  plan: Plan,
  concessions: Concessions,
  { plan: hoped, planWith }: Plannable,
  { convert, use }: SettleOptions<T>,
): Promise<readonly string[]> {
  const named = layersNamedIn(error.message, plan);
  if (named.length > 0) return withKin(named, hoped, concessions);
  const names = plan.layers.flatMap(({ name, quantize }) => (quantize ? [name] : []));
  const fails = async (kept: readonly string[]): Promise<boolean> => {
    const without = planWith(
      rejecting(
        concessions,
        names.filter((name) => !kept.includes(name)),
      ),
    );
    try {
      await use(await convert(without), without);
      return false;
    } catch (failure) {
      if (isRejection(failure)) return true;
      throw failure;
    }
  };
  return (await fails([])) ? [] : failing(names, fails);
}

function rejecting(concessions: Concessions, names: readonly string[]): Concessions {
  return new Map([...concessions, ...names.map((name) => [name, 'runtime-rejected'] as const)]);
}
