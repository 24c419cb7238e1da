/** A guess further away than this share of the word helps nobody. */
const MAX_SHARE = 0.5;
/** Words longer than this are not compared letter by letter. */
const MAX_WORD = 64;

/** The candidate that was probably meant: the same in other case, else the fewest letters away; undefined: none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const lower = word.slice(0, MAX_WORD).toLowerCase();
  const scored = candidates
    .map((candidate) => ({ candidate, distance: distance(lower, candidate.slice(0, MAX_WORD).toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = scored;
  return best && best.distance <= Math.max(1, lower.length * MAX_SHARE) ? best.candidate : undefined;
}

/** Levenshtein's: letters to add, drop or change. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
