// Owns the receiving end of back-channel logout as an app on Node would write it: an http server that checks each logout
// token with npm jose (OpenID Connect Back-Channel Logout 1.0, section 2.6), and answers 400 to any other.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { compactDecrypt, createRemoteJWKSet, importJWK, jwtVerify } from 'jose';
import { serve } from './lines.mjs';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
let app, jwks, decryption;
const seen = new Set();
const came = [];
const waiting = [];

async function check(token) {
  if (decryption) token = new TextDecoder().decode((await compactDecrypt(token, decryption)).plaintext);
  const { payload, protectedHeader } = await jwtVerify(token, jwks, {
    issuer: app.issuer,
    audience: app.client_id,
    typ: 'logout+jwt',
    algorithms: app.algorithms,
    requiredClaims: ['iat', 'exp', 'jti', 'events', 'sid', 'sub'],
    maxTokenAge: '2 minutes',
  });
  if (JSON.stringify(payload.events[EVENT]) !== '{}') throw new Error('no logout event');
  if ('nonce' in payload) throw new Error('a logout token has no nonce');
  if (seen.has(payload.jti)) throw new Error('this token came before');
  seen.add(payload.jti);
  return { claims: payload, header: protectedHeader };
}

async function take(req, res) {
  let answer;
  try {
    if (req.method !== 'POST' || req.headers['content-type'] !== 'application/x-www-form-urlencoded') throw new Error('not a form');
    const form = new URLSearchParams(Buffer.concat(await Array.fromAsync(req)).toString());
    answer = await check(form.get('logout_token'));
  } catch (error) {
    answer = { refused: error.message };
  }
  res.writeHead(answer.refused ? 400 : 204, { 'cache-control': 'no-store' }).end();
  const next = waiting.shift();
  if (next) next(answer);
  else came.push(answer);
}

await serve({
  async decrypt_with({ jwk }) {
    decryption = await importJWK(jwk);
  },
  async listen() {
    const server = createServer(take).listen(0, '127.0.0.1').unref();
    await once(server, 'listening');
    return { url: `http://127.0.0.1:${server.address().port}/logout/backchannel` };
  },
  expect(asked) {
    app = asked;
    jwks = createRemoteJWKSet(new URL(`${asked.issuer}/jwks`));
  },
  received: () => came.shift() ?? new Promise((resolve) => waiting.push(resolve)),
});
