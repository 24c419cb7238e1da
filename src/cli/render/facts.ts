/** Label and value a line, the values below each other. */
export function renderFacts(facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...facts.map(([label]) => label.length));
  return facts.map(([label, value]) => `${`${label}:`.padEnd(width + 2)}${value}\n`).join('');
}
