// What vitest's own JSON leaves out: why a test was skipped. Written for scripts/test-kernels.mjs to sum up.
import { writeFileSync } from 'node:fs';

// biome-ignore lint/style/noDefaultExport: how vitest finds a reporter
export default class {
  /** At once, not at the end: a run of an hour may be broken off. */
  onTestCaseResult(test) {
    const { state, errors } = test.result();
    if (state !== 'failed') return;
    for (const { stack, message, diff } of errors) {
      const ours = (stack ?? message).split('\n').filter((line) => !line.includes('/node_modules/'));
      process.stdout.write(`${ours.join('\n')}\n${diff ?? ''}\n`);
    }
  }

  onTestRunEnd(modules, errors) {
    const report = { passed: 0, failed: [], skipped: [] };
    for (const { message } of errors) report.failed.push({ name: 'vitest', why: message });
    for (const module of modules) {
      // A file that could not be loaded has an error and no tests.
      if (module.errors().length > 0)
        report.failed.push({ name: module.relativeModuleId, why: 'the file itself failed' });
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        const name = `${module.relativeModuleId}: ${test.fullName}`;
        if (state === 'passed') report.passed += 1;
        else if (state === 'failed') report.failed.push({ name, why: null });
        else report.skipped.push({ name, why: note ?? null });
      }
    }
    writeFileSync(process.env.UNET_KERNEL_REPORT, JSON.stringify(report));
  }
}
