// Opens streams of completions and says `begun` once text has come on every one; then it reads on until it is killed.
// JavaScript, because it runs as a process of its own: node stream-clients.mjs URL COUNT BODY
import { request } from 'node:http';

const [url, count, body] = process.argv.slice(2);
let begun = 0;
for (let at = 0; at < Number(count); at++) {
  const asked = request(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    agent: false,
  });
  asked.on('response', (response) => {
    if (response.statusCode !== 200) process.exit(3);
    response.once('data', () => {
      begun++;
      if (begun === Number(count)) process.stdout.write('begun\n');
    });
    response.on('data', () => undefined);
    // a stream that ends by itself was not in the middle of anything
    response.on('end', () => process.exit(4));
  });
  asked.on('error', () => process.exit(5));
  asked.end(body);
}
