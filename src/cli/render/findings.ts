import type { Finding } from '../../launch/index.js';

const MARKS = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;
const INDENT = ' '.repeat(6);

/** What the doctor found, a line each, with what to do below it where something can be done; and the verdict. */
export function renderFindings(findings: readonly Finding[]): string {
  return findings
    .map(({ grade, title, detail, fix }) => {
      const advice = fix === null ? '' : `${INDENT}${grade === 'ok' ? 'hint' : 'fix'}: ${fix}\n`;
      return `${MARKS[grade]}  ${title}: ${detail}\n${advice}`;
    })
    .join('');
}

export function verdict(findings: readonly Finding[]): string {
  const count = (grade: Finding['grade']) => findings.filter((finding) => finding.grade === grade).length;
  if (count('fail') > 0) return 'containers cannot be started here until the lines marked FAIL are mended';
  if (count('warn') > 0) return 'containers can be started here; the lines marked warn tell what will not work in them';
  return 'everything unet needs is here';
}
