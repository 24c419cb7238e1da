/** Numbers with a fraction as Go prints them. */

/** Where `%v` and `%g` go over to exponents. */
const EXPONENT_FROM = 6;
const EXPONENT_BELOW = -4;
const MAX_DIGITS = 100;

/** `%v` and `%g`: the shortest text that reads back as the number. */
export function formatShortest(value: number, exponentFrom = EXPONENT_FROM): string {
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : value < 0 ? '-Inf' : 'NaN';
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  const isPlain = value === 0 || (power >= EXPONENT_BELOW && power < exponentFrom);
  // JavaScript itself goes over to exponents from 1e21 and below 1e-6 only.
  return isPlain ? String(value) : `${mantissa}e${formatExponent(power)}`;
}

/** `%e`: one digit, the fraction, and an exponent of at least two digits. */
export function formatExponential(value: number, digits: number): string {
  const [mantissa = '', exponent = '0'] = value.toExponential(Math.min(digits, MAX_DIGITS)).split('e');
  return `${mantissa}e${formatExponent(Number(exponent))}`;
}

function formatExponent(power: number): string {
  return `${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
