/**
 * What a template may cost. It is typed by the user, but it walks over names, variables and addresses that others chose, and a
 * loop over a loop must end in an error and not in a dead terminal.
 */

/** Characters of a template. */
export const MAX_TEMPLATE = 65_536;
/** Blocks and parentheses within one another; a chain of `else if` counts each. */
export const MAX_NESTING = 100;
/** Levels of lists and objects within a value. */
export const MAX_VALUE_DEPTH = 200;
/** Nodes that are carried out, turns of loops and calls; long strings count as several. */
export const MAX_STEPS = 1_000_000;
/** Characters that count as one step. */
export const CHARACTERS_A_STEP = 64;
/** Characters of what a template prints for one object. */
export const MAX_OUTPUT = 16 * 1024 * 1024;
/** Characters of any text on the way there. */
export const MAX_STRING = 1024 * 1024;
/** The widths and precisions that a verb of printf may have. */
export const MAX_WIDTH = 10_000;
