// Owns a real upstream OpenID Provider for tests: npm oidc-provider with a plain login page and a control door.
// Which users and clients there are is told by the test over that door (see ../oidc_provider.py).
import { createServer } from 'node:http';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Provider } from 'oidc-provider';

const PORT = Number(process.env.PORT);
const ISSUER = process.env.ISSUER ?? `http://127.0.0.1:${PORT}`;
// Without this, e-mail and name come from the userinfo endpoint only, as the specification prefers.
const CLAIMS_IN_ID_TOKEN = process.env.CLAIMS_IN_ID_TOKEN === '1';
const users = new Map();

const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });

const provider = new Provider(ISSUER, {
  jwks: { keys: [{ ...key, use: 'sig', alg: 'RS256', kid: 'upstream-1' }] },
  cookies: { keys: [randomBytes(16).toString('hex')], names: { session: 'up_session', interaction: 'up_interaction', resume: 'up_resume' } },
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], acr: null, amr: null, auth_time: null },
  conformIdTokenClaims: !CLAIMS_IN_ID_TOKEN,
  pkce: { required: () => true },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, sub) => {
    const user = users.get(sub);
    return user && { accountId: sub, claims: () => ({ sub, ...user.claims }) };
  },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    registrationManagement: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
  },
  async loadExistingGrant(ctx) {
    const { client, session } = ctx.oidc;
    const known = session.grantIdFor(client.clientId);
    if (known) return ctx.oidc.provider.Grant.find(known);
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
});
provider.on('server_error', (_ctx, error) => console.error(error));
for (const name of ['authorization.error', 'grant.error', 'userinfo.error', 'registration_create.error']) {
  provider.on(name, (_ctx, error) => console.error(name, error.error, error.error_description));
}

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const page = (uid, hint, message) => `<!doctype html><html lang="en"><head><title>Upstream sign-in</title></head><body>
<h1>Upstream sign-in</h1><p role="alert">${escape(message)}</p>
<form method="post" action="/interaction/${uid}"><label>User <input name="login" value="${escape(hint)}"></label>
<button name="answer" value="yes">Sign in</button><button name="answer" value="no">Cancel</button></form></body></html>`;

async function bodyOf(req) {
  let body = '';
  for await (const chunk of req) body += chunk;
  return body;
}

async function interaction(req, res) {
  const { uid, prompt, params } = await provider.interactionDetails(req, res);
  const show = (status, message = '') => {
    res.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
    res.end(page(uid, params.login_hint ?? '', message));
  };
  if (req.method === 'GET') return show(200);
  const form = new URLSearchParams(await bodyOf(req));
  if (form.get('answer') === 'no') {
    const refusal = { error: 'access_denied', error_description: 'The user pressed Cancel' };
    return provider.interactionFinished(req, res, refusal, { mergeWithLastSubmission: false });
  }
  const user = users.get(form.get('login'));
  if (prompt.name !== 'login' || !user) return show(401, 'Unknown user');
  const login = { accountId: form.get('login'), acr: user.acr, amr: user.amr };
  return provider.interactionFinished(req, res, { login }, { mergeWithLastSubmission: false });
}

async function control(req, res) {
  const { sub, ...user } = JSON.parse(await bodyOf(req));
  users.set(sub, user);
  res.writeHead(204).end();
}

const oidc = provider.callback();
createServer(async (req, res) => {
  try {
    if (req.url.startsWith('/interaction/')) await interaction(req, res);
    else if (req.url === '/control/users') await control(req, res);
    else oidc(req, res);
  } catch (error) {
    console.error(error);
    res.writeHead(500).end(String(error));
  }
}).listen(PORT, '127.0.0.1', () => console.log(`upstream at ${ISSUER}`));
