// Owns a real relying party for tests: npm openid-client behind a few addresses that answer with JSON.
// ../rp_authlib.py offers the same addresses on another library; ../relying_parties.py drives both.
import { createServer } from 'node:http';
import * as oidc from 'openid-client';

const PORT = Number(process.env.PORT);
const HERE = `http://127.0.0.1:${PORT}`;
const CALLBACK = `${HERE}/callback`;
const secret = process.env.CLIENT_SECRET;
const auth = {
  client_secret_basic: () => oidc.ClientSecretBasic(secret),
  client_secret_post: () => oidc.ClientSecretPost(secret),
  none: () => oidc.None(),
}[process.env.AUTH_METHOD ?? (secret ? 'client_secret_basic' : 'none')];

const config = await oidc.discovery(new URL(process.env.ISSUER), process.env.CLIENT_ID, {}, auth(), {
  execute: [oidc.allowInsecureRequests],
});
const pending = new Map();
let last;

async function login(url) {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const { scope, ...more } = Object.fromEntries(url.searchParams);
  pending.set(state, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, maxAge: more.max_age && Number(more.max_age) });
  const target = oidc.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: scope ?? process.env.SCOPE ?? 'openid profile email',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  });
  return { redirect: target.href };
}

async function callback(url) {
  const checks = pending.get(url.searchParams.get('state'));
  if (!checks) throw new Error('unknown state');
  pending.delete(checks.expectedState);
  last = await oidc.authorizationCodeGrant(config, url, { ...checks, idTokenExpected: true });
  const claims = last.claims();
  return { tokens: last, claims, userinfo: await oidc.fetchUserInfo(config, last.access_token, claims.sub) };
}

async function refresh() {
  const renewed = await oidc.refreshTokenGrant(config, last.refresh_token);
  last = { ...last, ...renewed };
  return { tokens: renewed, claims: renewed.claims() ?? null };
}

const routes = {
  '/login': login,
  '/callback': callback,
  '/refresh': refresh,
  '/userinfo': async () => ({ userinfo: await oidc.fetchUserInfo(config, last.access_token, oidc.skipSubjectCheck) }),
  '/introspect': async () => ({ introspection: await oidc.tokenIntrospection(config, last.access_token) }),
  '/revoke': async () => (await oidc.tokenRevocation(config, last.refresh_token ?? last.access_token), { revoked: true }),
  '/client-credentials': async (url) => ({ tokens: await oidc.clientCredentialsGrant(config, Object.fromEntries(url.searchParams)) }),
  '/logout': async () => ({
    redirect: oidc.buildEndSessionUrl(config, { id_token_hint: last.id_token, post_logout_redirect_uri: `${HERE}/bye`, state: 'bye' }).href,
  }),
  '/bye': async (url) => ({ bye: Object.fromEntries(url.searchParams) }),
  '/ready': async () => ({ issuer: config.serverMetadata().issuer }),
};

createServer(async (req, res) => {
  const url = new URL(req.url, HERE);
  const say = (status, answer) => {
    res.writeHead(status, { 'content-type': 'application/json' });
    res.end(JSON.stringify(answer));
  };
  try {
    const route = routes[url.pathname];
    if (!route) return say(404, {});
    const answer = await route(url);
    if (!answer.redirect) return say(200, answer);
    res.writeHead(302, { location: answer.redirect }).end();
  } catch (error) {
    console.error(error);
    say(400, { error: error.error ?? error.code ?? error.name, message: error.error_description ?? error.message });
  }
}).listen(PORT, '127.0.0.1', () => console.log(`relying party at ${HERE}`));
