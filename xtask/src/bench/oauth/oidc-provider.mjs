// The npm package oidc-provider, as fast as it goes: node oidc-provider.mjs FOLDER PORT CODES FAMILIES
//
// Nothing is logged, access tokens are opaque (so it signs nothing), and what it keeps is in a plain Map. The adapter that it
// comes with holds 1,000 entries, fewer than there are codes here, and goes through all tokens of a grant at each write.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { Provider } from "oidc-provider";

const [folder, port, codes, families] = process.argv.slice(2);
const issuer = `https://localhost:${port}`;
const redirectUri = "https://app.bench.example/callback";
const store = new Map();

class Memory {
  constructor(model) {
    this.model = model;
  }
  async upsert(id, payload) {
    store.set(this.model + id, payload);
  }
  async find(id) {
    return store.get(this.model + id);
  }
  async consume(id) {
    store.get(this.model + id).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    store.delete(this.model + id);
  }
  async revokeByGrantId() {}
}

const provider = new Provider(issuer, {
  adapter: Memory,
  clients: [
    {
      client_id: "bench",
      client_secret: "bench-secret",
      redirect_uris: [redirectUri],
      response_types: ["code"],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  scopes: ["MYIR.Services"],
  pkce: { required: () => false },
  issueRefreshToken: async () => true,
  rotateRefreshToken: true,
  findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
  },
  ttl: { AccessToken: 28800, AuthorizationCode: 3600, Grant: 31536000, RefreshToken: 31536000 },
});
provider.proxy = false;

const client = await provider.Client.find("bench");
async function grant(accountId) {
  const made = new provider.Grant({ accountId, clientId: "bench" });
  made.addOIDCScope("MYIR.Services");
  return made.save();
}
const common = { client, scope: "MYIR.Services", gty: "authorization_code" };
const made = { codes: [], refresh: [] };
for (let number = 0; number < Number(codes); number += 1) {
  const accountId = `customer-${number % 100}`;
  const grantId = await grant(accountId);
  made.codes.push(await new provider.AuthorizationCode({ ...common, accountId, grantId, redirectUri }).save());
}
for (let number = 0; number < Number(families); number += 1) {
  const accountId = `customer-${number % 100}`;
  const grantId = await grant(accountId);
  made.refresh.push(await new provider.RefreshToken({ ...common, accountId, grantId, rotations: 0 }).save());
}
writeFileSync(`${folder}/oidc-provider.json`, JSON.stringify(made));

createServer(
  {
    cert: readFileSync(`${folder}/server-chain.pem`),
    key: readFileSync(`${folder}/server-key.pem`),
    ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256",
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.2",
    sessionTimeout: 1,
    keepAliveTimeout: 600_000,
  },
  provider.callback(),
).listen(Number(port), "127.0.0.1");
