// A web server that knows nothing of unet. Run it in a network of its own, published on this machine:
//   unet run --rm --name hello -p 8080:8080 -- node examples/hello.mjs
import { createServer } from 'node:http';
import { hostname, networkInterfaces } from 'node:os';

const PORT = 8080;

const server = createServer((request, response) => {
  const caller = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
  console.log(`${request.method} ${request.url} from ${caller}`);
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(`Hello ${caller}, this is ${hostname()} at ${ownAddress()}:${PORT}.\n`);
});

server.listen(PORT, '0.0.0.0', () => {
  console.log(`${hostname()} listens on ${ownAddress()}:${PORT}`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    console.log(`${signal}: good-bye`);
    server.close();
    server.closeAllConnections();
  });
}

function ownAddress() {
  const outward = Object.values(networkInterfaces())
    .flat()
    .find(({ family, internal }) => family === 'IPv4' && !internal);
  return outward?.address ?? '127.0.0.1';
}
