// The four kinds of unit ids that assignment is proven on; the same ids in every run.

/** A kind of id and its maker: index -> id, distinct for distinct indices. */
export interface UnitIdKind {
  readonly kind: string;
  readonly makeId: (index: number) => string;
}

// Distinct for distinct indices, because every step can be undone; beyond that it only has to look random.
function scrambled(index: number, stream: number): number {
  let x = (Math.imul(index, 0x9e3779b9) + stream) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

function uuid(index: number): string {
  // A leading 1 keeps eight digits behind it.
  const a = (0x100000000 + scrambled(index, 1)).toString(16);
  const b = (0x100000000 + scrambled(index, 2)).toString(16);
  return `${a.slice(1)}-${b.slice(1, 5)}-4${b.slice(5, 8)}-a${b.slice(6)}-${a.slice(3)}${b.slice(3)}`;
}

export const unitIdKinds: readonly UnitIdKind[] = [
  { kind: 'integer', makeId: (index) => String(index) },
  { kind: 'prefixed', makeId: (index) => `user_${index}` },
  { kind: 'UUID', makeId: uuid },
  { kind: 'non-ASCII', makeId: (index) => `用户-é-${index}` },
];
