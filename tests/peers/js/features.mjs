// Owns a relying party for tests that uses every feature of npm openid-client. The library checks signatures, nonce, state,
// issuer, audience, at_hash and DPoP itself.
import { webcrypto } from 'node:crypto';
import * as oidc from 'openid-client';
import { fetchShowing } from './certificates.mjs';
import { serve } from './lines.mjs';

const ALGS = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384' },
  Ed25519: { name: 'Ed25519' },
  'RSA-OAEP-256': { name: 'RSA-OAEP', hash: 'SHA-256' },
  'ECDH-ES': { name: 'ECDH', namedCurve: 'P-256' },
};
const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };

let config, checks, tokens, dpop, use, pendingDevice, shown;

const privateKey = async ({ jwk, alg, kid }, uses = ['sign']) => ({
  key: await webcrypto.subtle.importKey('jwk', { ...jwk, alg: undefined, use: undefined, key_ops: undefined }, ALGS[alg], true, uses),
  kid,
});

async function authentication({ method, secret, key }) {
  if (method === 'client_secret_basic') return oidc.ClientSecretBasic(secret);
  if (method === 'client_secret_post') return oidc.ClientSecretPost(secret);
  if (method === 'client_secret_jwt') return oidc.ClientSecretJwt(secret);
  if (method === 'private_key_jwt') return oidc.PrivateKeyJwt(await privateKey(key));
  if (method?.endsWith('tls_client_auth')) return oidc.TlsClientAuth();
  return oidc.None();
}

async function adopt(asked) {
  use = asked;
  dpop = asked.dpop ? oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair(asked.dpop)) : undefined;
  if (asked.jarm) oidc.useJwtResponseMode(config);
  if (asked.decrypt) {
    const { key, kid } = await privateKey(asked.decrypt.key, asked.decrypt.key.alg === 'ECDH-ES' ? ['deriveBits'] : ['decrypt']);
    oidc.enableDecryptingResponses(config, asked.decrypt.encs, { key, kid, alg: asked.decrypt.key.alg });
  }
  if (asked.check_signatures) oidc.enableNonRepudiationChecks(config);
  return { metadata: config.serverMetadata(), client: config.clientMetadata() };
}

const commands = {
  async make_key({ alg }) {
    const kind = ALGS[alg];
    const uses = alg === 'RSA-OAEP-256' ? ['encrypt', 'decrypt'] : alg === 'ECDH-ES' ? ['deriveBits'] : ['sign', 'verify'];
    const pair = await webcrypto.subtle.generateKey(kind.name.startsWith('RS') ? { ...kind, ...rsa } : kind, true, uses);
    const kid = `${alg}-${Math.random().toString(36).slice(2)}`;
    const plain = async (key) => ({ ...(await webcrypto.subtle.exportKey('jwk', key)), key_ops: undefined, ext: undefined, alg, kid });
    return { key: { jwk: await plain(pair.privateKey), alg, kid }, public: await plain(pair.publicKey) };
  },
  async configure(asked) {
    shown = asked.tls;
    config = await oidc.discovery(new URL(asked.issuer), asked.client_id, asked.metadata ?? {}, await authentication(asked.auth), {
      execute: asked.issuer.startsWith('https:') ? [] : [oidc.allowInsecureRequests],
      [oidc.customFetch]: shown && fetchShowing(() => shown),
    });
    return adopt(asked);
  },
  present({ tls }) {
    shown = tls;
  },
  async register(asked) {
    config = await oidc.dynamicClientRegistration(new URL(asked.issuer), asked.metadata, asked.auth && (await authentication(asked.auth)), {
      execute: [oidc.allowInsecureRequests],
      initialAccessToken: asked.initial_access_token,
    });
    return adopt(asked);
  },
  async authorize({ params }) {
    const verifier = oidc.randomPKCECodeVerifier();
    checks = { pkceCodeVerifier: verifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true };
    const wanted = {
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state: checks.expectedState,
      nonce: checks.expectedNonce,
      ...params,
    };
    if (wanted.max_age !== undefined) checks.maxAge = Number(wanted.max_age);
    let url;
    if (use.jar) {
      url = await oidc.buildAuthorizationUrlWithJAR(config, wanted, await privateKey(use.jar));
      if (use.par) url = await oidc.buildAuthorizationUrlWithPAR(config, url.searchParams, { DPoP: dpop });
    } else if (use.par) url = await oidc.buildAuthorizationUrlWithPAR(config, wanted, { DPoP: dpop });
    else url = oidc.buildAuthorizationUrl(config, wanted);
    return { url: url.href };
  },
  async callback({ url, fields }) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const came = fields ? new Request(url, { method: 'POST', headers, body: new URLSearchParams(fields) }) : new URL(url);
    tokens = await oidc.authorizationCodeGrant(config, came, checks, undefined, { DPoP: dpop });
    return { tokens, claims: tokens.claims() };
  },
  async userinfo({ subject }) {
    const expected = subject ?? tokens.claims()?.sub ?? oidc.skipSubjectCheck;
    return { userinfo: await oidc.fetchUserInfo(config, tokens.access_token, expected, { DPoP: dpop }) };
  },
  async refresh({ token }) {
    tokens = await oidc.refreshTokenGrant(config, token ?? tokens.refresh_token, undefined, { DPoP: dpop });
    return { tokens, claims: tokens.claims() ?? null };
  },
  async client_credentials({ params }) {
    tokens = await oidc.clientCredentialsGrant(config, params ?? {}, { DPoP: dpop });
    return { tokens };
  },
  async exchange({ params }) {
    return { tokens: await oidc.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', params, { DPoP: dpop }) };
  },
  async introspect({ token }) {
    return { introspection: await oidc.tokenIntrospection(config, token ?? tokens.access_token) };
  },
  async revoke({ token }) {
    await oidc.tokenRevocation(config, token ?? tokens.access_token);
    return {};
  },
  async device({ params }) {
    pendingDevice = await oidc.initiateDeviceAuthorization(config, params);
    return pendingDevice;
  },
  async poll() {
    // It would wait for `interval` before it asks the first time; here the person has answered already.
    tokens = await oidc.pollDeviceAuthorizationGrant(config, { ...pendingDevice, interval: 0 }, undefined, { DPoP: dpop });
    return { tokens, claims: tokens.claims() ?? null };
  },
  async end_session({ params }) {
    return { url: oidc.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, ...params }).href };
  },
};

await serve(commands);
