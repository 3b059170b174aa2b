// Owns the yardstick: npm oidc-provider with one client, set up to do the same work as we do. State in memory.
import { createServer } from 'node:http';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Provider } from '../tests/peers/js/node_modules/oidc-provider/lib/index.js';

const PORT = Number(process.env.PORT);
const RESOURCE = 'urn:bench:api';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  jwks: { keys: [{ ...rsa, use: 'sig', alg: 'RS256', kid: 'r1' }, { ...ec, use: 'sig', alg: 'ES256', kid: 'e1' }] },
  clients: [{
    client_id: 'bench', client_secret: process.env.CLIENT_SECRET, redirect_uris: [process.env.REDIRECT_URI], response_types: ['code'],
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials'], scope: 'openid profile email offline_access api',
  }],
  cookies: { keys: [randomBytes(16).toString('hex')] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'offline_access', 'api'],
  pkce: { required: () => true },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub, name: 'Ada', email: 'ada@example.org', email_verified: true }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => (ctx.oidc.params?.grant_type === 'client_credentials' ? RESOURCE : undefined),
      getResourceServerInfo: () => ({ scope: 'api', audience: RESOURCE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
    },
  },
  async loadExistingGrant(ctx) {
    const { client, session, result } = ctx.oidc;
    const known = result?.consent?.grantId ?? session.grantIdFor(client.clientId);
    if (known) return provider.Grant.find(known);
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile email offline_access');
    await grant.save();
    return grant;
  },
});
provider.on('server_error', (_ctx, error) => console.error(error));

const oidc = provider.callback();
createServer(async (req, res) => {
  if (!req.url.startsWith('/interaction/')) return oidc(req, res);
  const { uid } = await provider.interactionDetails(req, res);
  if (req.method === 'POST') {
    return provider.interactionFinished(req, res, { login: { accountId: 'ada' } }, { mergeWithLastSubmission: false });
  }
  res.setHeader('content-type', 'text/html');
  return res.end(`<!doctype html><form method="post" action="/interaction/${uid}"><button>Sign in</button></form>`);
}).listen(PORT, '127.0.0.1');
