/** What comes first of these promises, or null when the time is up before. */
export async function firstOf<T>(promises: Iterable<Promise<T>>, ms: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  const first = await Promise.race([...promises, late]);
  clearTimeout(timer);
  return first;
}
