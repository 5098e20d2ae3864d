/** Which tensors are measured together: all of one group are in memory at once. */

export interface MeasuredTensor {
  readonly name: string;
  /** Of one sample. */
  readonly bytes: number;
}

/**
 * Splits tensors into groups of at most `capBytes` each, few of them, since each costs a pass over
 * the data: first fit, largest first. A tensor above the cap is alone. Within a group the order is
 * that of the input, and equal inputs give equal groups.
 */
export function planGroups(tensors: readonly MeasuredTensor[], capBytes: number): string[][] {
  const groups: { bytes: number; members: number[] }[] = [];
  const largestFirst = tensors.map((_, index) => index).sort((a, b) => tensors[b]!.bytes - tensors[a]!.bytes || a - b);
  for (const index of largestFirst) {
    const { bytes } = tensors[index]!;
    const group = groups.find((candidate) => candidate.bytes + bytes <= capBytes);
    if (group) {
      group.bytes += bytes;
      group.members.push(index);
    } else {
      groups.push({ bytes, members: [index] });
    }
  }
  return groups.map(({ members }) => members.sort((a, b) => a - b).map((index) => tensors[index]!.name));
}
