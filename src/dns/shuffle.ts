/** Another order each time: clients take the first address, and so the load spreads. Nobody's safety hangs on it. */
export function shuffled<T>(list: readonly T[], random: () => number = Math.random): readonly T[] {
  if (list.length < 2) return list;
  const out = [...list];
  for (let index = out.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    const item = out[index] as T;
    out[index] = out[other] as T;
    out[other] = item;
  }
  return out;
}
