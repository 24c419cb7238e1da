import type { DnsService } from '../dns/index.js';
import type { GuestQuestion } from '../native/index.js';

/** Carries a guest's question to the service and the answer back. Nothing here is logged per question. */
export function answerQuestion(
  dns: DnsService,
  question: GuestQuestion,
  reply: (message: Uint8Array | null) => void,
): void {
  const answer = dns.answer(question);
  if (answer instanceof Promise) answer.then(reply, () => reply(null));
  else reply(answer);
}
