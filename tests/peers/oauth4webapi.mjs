// The npm package oauth4webapi, unmodified, runs the whole cloud flow: node oauth4webapi.mjs DEV_JSON
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { authorise, development } from "./customer.mjs";

const dev = await development(process.argv[2]);
const issuer = new URL(dev.issuer);
const server = await oauth.processDiscoveryResponse(
  issuer,
  await oauth.discoveryRequest(issuer, { algorithm: "oauth2" }),
);
const client = { client_id: dev.client.client_id };
const auth = oauth.ClientSecretPost(dev.client.client_secret);
const redirectUri = dev.client.redirect_uris[0];

async function begin(decision) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const start = new URL(server.authorization_endpoint);
  start.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: "code",
    scope: "MYIR.Services",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
  }).toString();
  return { verifier, state, back: await authorise(start, dev.customer, decision) };
}

const { verifier, state, back } = await begin("allow");
const parameters = oauth.validateAuthResponse(server, client, back, state);
const tokens = await oauth.processAuthorizationCodeResponse(
  server,
  client,
  await oauth.authorizationCodeGrantRequest(server, client, auth, parameters, redirectUri, verifier),
);
assert.equal(tokens.scope, "MYIR.Services");

const refreshed = await oauth.processRefreshTokenResponse(
  server,
  client,
  await oauth.refreshTokenGrantRequest(server, client, auth, tokens.refresh_token),
);
const introspect = async (token) =>
  oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, auth, token));
const live = await introspect(refreshed.access_token);
assert.equal(live.active, true);
assert.equal(live.client_id, client.client_id);

await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, refreshed.access_token));
for (let wait = 0; (await introspect(refreshed.access_token)).active; wait += 1) {
  assert.ok(wait < 20, "a revocation is in force within a second");
  await new Promise((done) => setTimeout(done, 50));
}
assert.equal((await introspect(refreshed.refresh_token)).active, true, "one token was revoked, not its family");
console.log("oauth4webapi: ok");
