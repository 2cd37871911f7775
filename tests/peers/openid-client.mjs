// The npm package openid-client, unmodified, runs the whole cloud flow: node openid-client.mjs DEV_JSON
import assert from "node:assert/strict";
import * as client from "openid-client";
import { authorise, development } from "./customer.mjs";

// A 401 carries WWW-Authenticate (OA-17), which the package reports instead of the body.
const isRefusal = (error) => error.status === 401;
const dev = await development(process.argv[2]);
const config = await client.discovery(
  new URL(dev.issuer),
  dev.client.client_id,
  dev.client.client_secret,
  client.ClientSecretBasic(dev.client.client_secret),
  { algorithm: "oauth2" },
);
assert.equal(config.serverMetadata().issuer, dev.issuer);

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const start = client.buildAuthorizationUrl(config, {
  redirect_uri: dev.client.redirect_uris[0],
  scope: "MYIR.Services",
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state,
});
const back = await authorise(start, dev.customer);
const checks = { pkceCodeVerifier: verifier, expectedState: state };
const first = await client.authorizationCodeGrant(config, back, checks);
assert.equal(first.token_type.toLowerCase(), "bearer");
assert.equal(first.expires_in, 28800);
assert.equal(first.refresh_token.length, 50);

const live = await client.tokenIntrospection(config, first.access_token);
assert.equal(live.active, true);
assert.equal(live.username, dev.customer.user_id);

const second = await client.refreshTokenGrant(config, first.refresh_token);
assert.notEqual(second.refresh_token, first.refresh_token);
await assert.rejects(client.refreshTokenGrant(config, first.refresh_token), isRefusal);
const spent = await client.tokenIntrospection(config, second.refresh_token);
assert.equal(spent.active, false, "the replay ended the family");

// A login stands per browser; a new one begins another family, which ends by revocation.
const again = client.buildAuthorizationUrl(config, { redirect_uri: dev.client.redirect_uris[0], scope: "MYIR.Services", state });
const third = await client.authorizationCodeGrant(config, await authorise(again, dev.customer), { expectedState: state });
await client.tokenRevocation(config, third.refresh_token);
assert.equal((await client.tokenIntrospection(config, third.refresh_token)).active, false);

await assert.rejects(
  client.authorizationCodeGrant(config, back, checks),
  isRefusal,
  "a code is good once",
);
console.log("openid-client: ok");
