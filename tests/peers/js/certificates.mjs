// Owns a fetch for the libraries here that shows a client certificate in the TLS handshake; Node's own has no way to.
import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';

// present() gives { ca, cert, key } in PEM; without cert and key no certificate is shown. Every request makes a
// connection of its own, so that no certificate of an earlier one counts.
export const fetchShowing = (present) => (url, { method, headers, body }) =>
  new Promise((resolve, reject) => {
    const target = new URL(url);
    const [send, tls] = target.protocol === 'https:' ? [overHttps, { ...present(), agent: false }] : [overHttp, {}];
    const sent = send(target, { ...tls, method, headers: Object.fromEntries(new Headers(headers)) }, async (came) => {
      const chunks = await Array.fromAsync(came);
      const told = new Headers(came.rawHeaders.flatMap((name, i, all) => (i % 2 ? [] : [[name, all[i + 1]]])));
      resolve(new Response(Buffer.concat(chunks), { status: came.statusCode, headers: told }));
    });
    sent.on('error', reject).end(body?.toString());
  });
