/** What a layer is called and made of: the same in an inspection and in a report. */

import type { LayerReport } from '../../shared/report';
import { scopeOf } from '../../shared/selectors';
import type { PlannedLayer } from '../plan/types';

export function identityOf({
  name,
  op,
  node,
  fused,
}: PlannedLayer): Pick<LayerReport, 'name' | 'op' | 'fused' | 'nodes' | 'scope'> {
  return {
    name,
    op,
    fused: fused.map(({ opType }) => opType),
    nodes: [node, ...fused].map((part) => part.name),
    scope: scopeOf(name),
  };
}
