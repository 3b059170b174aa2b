// Owns an identity provider on npm samlp (what Auth0 runs; claims as ADFS has them), driven by commands (see ../saml_issuer.py).
// It listens nowhere: requests and answers of Express are made up here, and what it would send to a browser is told.
import { createPublicKey } from 'node:crypto';
import samlp from 'samlp';
import { serve } from './lines.mjs';

const POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST';
const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';
const plain = (html) => html.replace(/&#x([0-9A-F]+);/gi, (_, code) => String.fromCodePoint(parseInt(code, 16))).replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code))).replace(/&quot;/g, '"').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');

// What a browser would do next: go to `url`, or post `fields` to `action`, or nothing but read `said`.
function run(middleware, { url, fields, user }) {
  const at = new URL(url ?? 'https://idp.example/');
  const session = (run.session ??= {});
  const req = { method: fields ? 'POST' : 'GET', query: Object.fromEntries(at.searchParams), body: fields ?? {}, user, session, originalUrl: at.pathname + at.search, url: at.pathname + at.search, headers: { host: at.host }, protocol: 'https' };
  return new Promise((resolve, reject) => {
    const res = { set() {}, redirect: (to) => resolve({ url: to }), send: (page) => resolve(typeof page === 'string' ? shown(page) : { said: page }) };
    middleware(req, res, (error) => reject(error ?? new Error('it passed the request on')));
  });
}

function shown(page) {
  const action = page.match(/action="([^"]*)"/);
  if (!action) return { said: page };
  const found = [...page.matchAll(/name="([^"]+)"\s+value="([^"]*)"/g)].map(([, name, value]) => [name, plain(value)]);
  return { action: plain(action[1]), fields: Object.fromEntries(found) };
}

const profile = ({ id, email, name, ...more }) => ({ id, emails: [{ value: email }], displayName: name, name: { givenName: name.split(' ')[0], familyName: name.split(' ')[1] }, ...more });
let own, participants;

const commands = {
  async configure({ entity_id, key, certificate, sso, slo, sp, encryption }) {
    own = { issuer: entity_id, key, cert: certificate, signatureNamespacePrefix: 'ds', ...encryption };
    if (encryption) {
      own.encryptionPublicKey = createPublicKey(encryption.encryptionCert).export({ type: 'spki', format: 'pem' });
      own.disallowEncryptionWithInsecureAlgorithm = false;
    }
    own.sp = sp;
    participants = [];
    const paths = { redirectEndpointPath: new URL(sso).pathname, postEndpointPath: new URL(sso).pathname, logoutEndpointPaths: { redirect: new URL(slo).pathname, post: new URL(slo).pathname } };
    const { said } = await run(samlp.metadata({ issuer: entity_id, cert: certificate, ...paths }), { url: sso });
    return { metadata: said };
  },
  respond({ user, signed = 'assertion', ...came }) {
    const sessionIndex = `_index-${user.id}`;
    participants.push({ serviceProviderId: own.sp.entity_id, sessionIndex, nameId: user.id, nameIdFormat: 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified', serviceProviderLogoutURL: own.sp.slo, cert: own.sp.certificate });
    const answer = samlp.auth({
      ...own,
      sessionIndex,
      nameIdentifierFormat: 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified',
      recipient: own.sp.acs,
      destination: own.sp.acs,
      audience: came.url || came.fields ? undefined : own.sp.entity_id,
      signResponse: signed !== 'assertion',
      signAssertion: signed !== 'response',
      getPostURL: (audience, dom, req, done) => done(null, own.sp.acs),
    });
    return run(answer, { ...came, user: profile(user) });
  },
  // LogoutRequest or LogoutResponse of the service provider; without one it begins to sign out itself.
  logout({ binding = 'redirect', ...came }) {
    const options = { issuer: own.issuer, cert: own.cert, key: own.key, signatureAlgorithm: 'rsa-sha256', digestAlgorithm: 'sha256', deflate: true, protocolBinding: binding === 'post' ? POST : REDIRECT, destination: own.sp.slo, sessionParticipants: new Participants(participants) };
    return run(samlp.logout(options), came);
  },
  participants: () => ({ count: participants.length }),
};

class Participants {
  constructor(list) {
    this.list = list;
  }
  hasElements() {
    return this.list.length > 0;
  }
  at(issuer, indexes, name) {
    return this.list.findIndex((one) => one.serviceProviderId === issuer && [indexes].flat().includes(one.sessionIndex) && one.nameId === name);
  }
  get(issuer, indexes, name, done) {
    done(null, this.list[this.at(issuer, indexes, name)]);
  }
  getFirst(done) {
    done(null, this.list[0]);
  }
  remove(issuer, index, name, done) {
    const found = this.at(issuer, index, name);
    done(null, found < 0 ? undefined : this.list.splice(found, 1)[0]);
  }
}

await serve(commands);
