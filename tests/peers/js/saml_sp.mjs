// Owns service providers on two npm libraries, @node-saml/node-saml and samlify, driven by commands (see ../saml_library.py).
// What arrives is checked by the library alone; what comes out has the same shape for both.
import { readFileSync } from 'node:fs';
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml';
import * as validator from '@authenio/samlify-xmllint-wasm';
import samlify from 'samlify';
import { serve } from './lines.mjs';

samlify.setSchemaValidator(validator); // the XSDs of OASIS, by libxml2
const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect';
const POST = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST';
const PERSISTENT = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';

const plain = (html) => html.replace(/&quot;/g, '"').replace(/&apos;/g, "'").replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
const fieldsOf = (html) => Object.fromEntries([...html.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name, plain(value)]));
const listed = (values) => Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [name, [value].flat()]));
const queryOf = (url) => Object.fromEntries(new URL(url).searchParams);

// As passport-saml is used: addresses and certificates of the provider are copied out of its metadata by hand.
class NodeSaml {
  constructor({ entity_id, acs, slo, key, certificate, encrypted, idp_metadata, ...more }) {
    const xml = readFileSync(idp_metadata, 'utf8');
    const [idp] = xml.match(/<(\w+:)?IDPSSODescriptor[^]*<\/(\w+:)?IDPSSODescriptor>/);
    const place = (service) => idp.match(new RegExp(`<(?:\\w+:)?${service} [^>]*${REDIRECT}[^>]*>`))?.[0].match(/Location="([^"]+)"/)[1];
    Object.assign(this, { certificate, encrypted });
    this.saml = new SAML({
      issuer: entity_id,
      callbackUrl: acs,
      audience: entity_id,
      logoutCallbackUrl: slo,
      entryPoint: place('SingleSignOnService'),
      logoutUrl: place('SingleLogoutService'),
      idpIssuer: xml.match(/entityID="([^"]+)"/)[1],
      idpCert: [...idp.matchAll(/<(?:\w+:)?X509Certificate>([^<]+)</g)].map(([, text]) => text.replace(/\s/g, '')),
      privateKey: key,
      publicCert: certificate,
      decryptionPvk: encrypted ? key : undefined,
      signatureAlgorithm: 'sha256',
      digestAlgorithm: 'sha256',
      identifierFormat: PERSISTENT,
      wantAssertionsSigned: true,
      wantAuthnResponseSigned: true,
      validateInResponseTo: ValidateInResponseTo.ifPresent,
      ...more,
    });
  }
  metadata() {
    return this.saml.generateServiceProviderMetadata(this.encrypted ? this.certificate : null, this.certificate);
  }
  async login({ binding, relay_state }) {
    if (binding !== 'post') return { url: await this.saml.getAuthorizeUrlAsync(relay_state, undefined, {}) };
    this.saml.options.authnRequestBinding = 'HTTP-POST';
    // Left alone, the library deflates what it posts, which the binding does not know.
    return { action: this.saml.options.entryPoint, fields: fieldsOf(await this.saml.getAuthorizeFormAsync(relay_state, undefined, {})) };
  }
  async consume({ fields }) {
    const { profile } = await this.saml.validatePostResponseAsync(fields);
    this.profile = profile;
    return { name_id: profile.nameID, format: profile.nameIDFormat, session_index: profile.sessionIndex, attributes: listed(profile.attributes) };
  }
  async logout({ relay_state }) {
    return { url: await this.saml.getLogoutUrlAsync(this.profile, relay_state, {}) };
  }
  async came({ url, fields }) {
    if (fields?.SAMLRequest) return this.saml.validatePostRequestAsync(fields);
    if (fields) return this.saml.validatePostResponseAsync(fields);
    return this.saml.validateRedirectAsync(queryOf(url), new URL(url).search.slice(1));
  }
  async logout_request(asked) {
    const { profile } = await this.came(asked);
    const answer = await this.saml.getLogoutResponseUrlAsync(profile, queryOf(asked.url ?? 'x:').RelayState ?? asked.fields?.RelayState, {}, true);
    return { url: answer, name_id: profile.nameID, session_index: profile.sessionIndex };
  }
  async logout_response(asked) {
    const { loggedOut } = await this.came(asked);
    return { success: loggedOut };
  }
}

class Samlify {
  constructor({ entity_id, acs, slo, key, certificate, encrypted, idp_metadata, slo_binding, ...more }) {
    const metadata = readFileSync(idp_metadata, 'utf8');
    this.idp = samlify.IdentityProvider({ metadata, isAssertionEncrypted: encrypted, wantLogoutRequestSigned: true, wantLogoutResponseSigned: true });
    this.sp = samlify.ServiceProvider({
      entityID: entity_id,
      assertionConsumerService: [{ Binding: POST, Location: acs }],
      singleLogoutService: [{ Binding: slo_binding === 'post' ? POST : REDIRECT, Location: slo }],
      signingCert: certificate,
      privateKey: key,
      ...(encrypted && { encryptCert: certificate, encPrivateKey: key }),
      // The library demands that both sides' metadata say the same about signed requests.
      authnRequestsSigned: this.idp.entityMeta.isWantAuthnRequestsSigned(),
      wantAssertionsSigned: true,
      wantMessageSigned: true,
      wantLogoutRequestSigned: true,
      wantLogoutResponseSigned: true,
      requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
      nameIDFormat: [PERSISTENT],
      ...more,
    });
  }
  metadata() {
    return this.sp.getMetadata();
  }
  login({ binding = 'redirect', relay_state }) {
    const made = this.sp.createLoginRequest(this.idp, binding, { relayState: relay_state });
    this.asked = made.id;
    if (binding === 'redirect') return { url: made.context };
    return { action: made.entityEndpoint, fields: { SAMLRequest: made.context, RelayState: relay_state } };
  }
  async consume({ fields, unsolicited }) {
    const { extract } = await this.sp.parseLoginResponse(this.idp, 'post', { body: fields });
    if (extract.response.inResponseTo !== (unsolicited ? undefined : this.asked)) throw new Error(`the answer is to ${extract.response.inResponseTo}`);
    this.user = { logoutNameID: extract.nameID, sessionIndex: extract.sessionIndex.sessionIndex };
    return { name_id: extract.nameID, format: null, session_index: this.user.sessionIndex, attributes: listed(extract.attributes) };
  }
  logout({ relay_state, binding = 'redirect' }) {
    const made = this.sp.createLogoutRequest(this.idp, binding, this.user, { relayState: relay_state });
    this.asked = made.id;
    if (binding === 'redirect') return { url: made.context };
    return { action: made.entityEndpoint, fields: { SAMLRequest: made.context, RelayState: relay_state } };
  }
  how({ url, fields }) {
    if (fields) return ['post', { body: fields }];
    const signed = new URL(url).search.slice(1).split('&Signature=')[0];
    return ['redirect', { query: queryOf(url), octetString: signed }];
  }
  async logout_request(asked) {
    const request = await this.sp.parseLogoutRequest(this.idp, ...this.how(asked));
    const { extract } = request;
    const relay = queryOf(asked.url ?? 'x:').RelayState ?? asked.fields?.RelayState;
    const made = this.sp.createLogoutResponse(this.idp, request, 'redirect', { relayState: relay });
    return { url: made.context, name_id: extract.nameID, session_index: [extract.sessionIndex].flat()[0] };
  }
  async logout_response(asked) {
    const { extract } = await this.sp.parseLogoutResponse(this.idp, ...this.how(asked));
    if (extract.response.inResponseTo !== this.asked) throw new Error(`the answer is to ${extract.response.inResponseTo}`);
    return { success: true };
  }
}

let sp;
const commands = {
  configure({ library, ...how }) {
    sp = library === 'samlify' ? new Samlify(how) : new NodeSaml(how);
    return { metadata: sp.metadata() };
  },
};
for (const name of ['login', 'consume', 'logout', 'logout_request', 'logout_response']) commands[name] = (asked) => sp[name](asked);

await serve(commands);
