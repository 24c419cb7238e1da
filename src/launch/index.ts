export { EXIT_LOCK_HELD, startDaemonProcess } from './daemon-process.js';
export { type Finding, runDoctor } from './doctor.js';
export { EXIT_OWN_FAILURE } from './exit-status.js';
export { findDaemonScript, findLauncher } from './find.js';
export { callersOpenFiles } from './open-files.js';
export { completeSpec, runLauncher, startDetached } from './run.js';
