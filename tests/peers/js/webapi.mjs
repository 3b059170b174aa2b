// Owns a relying party on npm oauth4webapi, the low level: every request and every check of an answer is a call of its
// own. DPoP nonces are asked for anew at each command, so that every endpoint has to demand its own.
import * as oauth from 'oauth4webapi';
import { exportJWK } from 'jose';
import { serve } from './lines.mjs';

const http = { [oauth.allowInsecureRequests]: true };
const keys = {};
let as, client, authentication, bound, checks, tokens, device, nonces;

function methodOf({ method, secret, key }) {
  if (method === 'private_key_jwt') return oauth.PrivateKeyJwt({ key: keys[key].privateKey, kid: key });
  return { client_secret_basic: oauth.ClientSecretBasic, client_secret_post: oauth.ClientSecretPost, client_secret_jwt: oauth.ClientSecretJwt, none: oauth.None }[method](secret);
}

// RFC 9449 section 8: whoever is told `use_dpop_nonce` asks again, once, with the nonce that came along.
async function asking(send, key = bound) {
  const options = key ? { ...http, DPoP: oauth.DPoP(client, keys[key]) } : http;
  try {
    return await send(options);
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    nonces += 1;
    return await send(options);
  }
}

const userinfo = async (options, token) => {
  const response = await oauth.userInfoRequest(as, client, token ?? tokens.access_token, options);
  const told = await oauth.processUserInfoResponse(as, client, oauth.skipSubjectCheck, response);
  if (client.userinfo_signed_response_alg) await oauth.validateApplicationLevelSignature(as, response, http);
  return told;
};

const commands = {
  async make_key({ alg }) {
    const kid = `${alg}-${oauth.generateRandomState()}`;
    keys[kid] = await oauth.generateKeyPair(alg);
    return { kid, public: { ...(await exportJWK(keys[kid].publicKey)), kid, alg, use: 'sig' } };
  },
  async discover({ issuer, algorithm }) {
    const url = new URL(issuer);
    as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm, ...http }));
    return { metadata: as };
  },
  be({ client_id, metadata, auth, dpop }) {
    client = { client_id, ...metadata };
    authentication = methodOf(auth);
    bound = dpop;
    nonces = 0;
  },
  async authorize({ params, push }) {
    const verifier = oauth.generateRandomCodeVerifier();
    checks = { verifier, state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), redirect_uri: params.redirect_uri };
    const wanted = {
      response_type: 'code',
      client_id: client.client_id,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state: checks.state,
      nonce: checks.nonce,
      ...params,
    };
    const url = new URL(as.authorization_endpoint);
    if (!push) url.search = new URLSearchParams(wanted);
    else {
      const pushed = await asking(async (options) =>
        oauth.processPushedAuthorizationResponse(as, client, await oauth.pushedAuthorizationRequest(as, client, authentication, wanted, options)),
      );
      url.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri });
    }
    return { url: url.href };
  },
  // `url`: where the browser came back to. Without it, the code that came last is tried once more.
  async redeem({ url, jarm, key }) {
    if (url) checks.answer = await (jarm ? oauth.validateJwtAuthResponse : oauth.validateAuthResponse)(as, client, new URL(url), checks.state, http);
    tokens = await asking(async (options) => {
      const response = await oauth.authorizationCodeGrantRequest(as, client, authentication, checks.answer, checks.redirect_uri, checks.verifier, options);
      const told = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: checks.nonce, requireIdToken: true });
      await oauth.validateApplicationLevelSignature(as, response, http);
      return told;
    }, key);
    return { tokens, claims: oauth.getValidatedIdTokenClaims(tokens) };
  },
  userinfo: ({ key, token }) => asking((options) => userinfo(options, token), key),
  // One nonce is good for several proofs (RFC 9449 8.2 allows it, so that not every request is made twice).
  async userinfo_twice() {
    const before = nonces;
    await asking(async (options) => [await userinfo(options), await userinfo(options)]);
    return { asked_for_a_nonce: nonces - before };
  },
  async refresh({ token, key }) {
    tokens = await asking(async (options) =>
      oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, authentication, token ?? tokens.refresh_token, options)),
    key);
    return { tokens };
  },
  async client_credentials({ params }) {
    tokens = await asking(async (options) =>
      oauth.processClientCredentialsResponse(as, client, await oauth.clientCredentialsGrantRequest(as, client, authentication, params ?? {}, options)),
    );
    return { tokens };
  },
  // As an API that was called with the token: it fetches our keys, and checks token and proof (RFC 9068, RFC 9449 7.1).
  async accept({ audience, key, bearer }) {
    let came;
    const api = new URL('http://127.0.0.1/things?page=1');
    const caught = (url, init) => ((came = new Request(url, init)), new Response());
    const proof = bearer ? {} : { DPoP: oauth.DPoP(client, keys[key ?? bound]) };
    await oauth.protectedResourceRequest(tokens.access_token, 'GET', api, undefined, undefined, { ...http, ...proof, [oauth.customFetch]: caught });
    return oauth.validateJwtAccessToken(as, came, audience, http);
  },
  async introspect({ token }) {
    const response = await oauth.introspectionRequest(as, client, authentication, token ?? tokens.access_token, http);
    const told = await oauth.processIntrospectionResponse(as, client, response);
    if (client.introspection_signed_response_alg) await oauth.validateApplicationLevelSignature(as, response, http);
    return told;
  },
  async revoke({ token }) {
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, authentication, token ?? tokens.access_token, http));
  },
  async device({ params }) {
    const response = await oauth.deviceAuthorizationRequest(as, client, authentication, params, http);
    device = await oauth.processDeviceAuthorizationResponse(as, client, response);
    return device;
  },
  async poll({ code }) {
    tokens = await asking(async (options) =>
      oauth.processDeviceCodeResponse(as, client, await oauth.deviceCodeGrantRequest(as, client, authentication, code ?? device.device_code, options)),
    );
    return { tokens, claims: oauth.getValidatedIdTokenClaims(tokens) ?? null };
  },
  async register({ metadata, token }) {
    const response = await oauth.dynamicClientRegistrationRequest(as, metadata, { ...http, initialAccessToken: token });
    return oauth.processDynamicClientRegistrationResponse(response);
  },
  // RFC 7592: the library has nothing for it, so this is fetch.
  async manage({ uri, token, method, body }) {
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(uri, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : null };
  },
  nonces: () => ({ nonces }),
};

await serve(commands);
