import { type Background, startBackground, untilReady } from '../measure/process.js';

/**
 * The outside world of the DNS scenario: a server that answers every question for an address with one, good for an hour. It is asked once,
 * what is measured are the answers from memory.
 */
export async function startUpstream(before: readonly string[], port: number): Promise<Background> {
  const server = await startBackground([...before, process.execPath, '-e', SERVE, String(port)]);
  await untilReady('the DNS server outside', server, () => (server.output().includes('ready') ? true : null));
  return server;
}

const SERVE = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (question, from) => {
  let end = 12;
  while (question[end]) end += 1 + question[end];
  const head = Buffer.from(question.subarray(0, end + 5));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(0, 10);
  const isAddress = question.readUInt16BE(end + 1) === 1;
  head.writeUInt16BE(isAddress ? 1 : 0, 6);
  const answer = Buffer.from('c00c00010001' + '00000e10' + '0004' + 'c0000207', 'hex');
  socket.send(isAddress ? Buffer.concat([head, answer]) : head, from.port, from.address);
});
socket.bind(Number(process.argv[1]), '127.0.0.1', () => console.log('ready'));`;
