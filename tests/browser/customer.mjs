// What a customer does on the pages, and what an application asks for.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

export const dev = JSON.parse(readFileSync(process.argv[2], "utf8"));
export const pages = dev.oauth.issuer;

export function customer(userId) {
  return dev.customers.find((one) => one.user_id === userId);
}

export function client(provider, kind) {
  return dev.providers[provider].clients.find((one) => one.kind === kind);
}

/** The address to which an application sends its customer. */
export function authorisation(client, more = {}) {
  const url = new URL(dev.oauth.authorize);
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: client.redirect_uris[0],
    response_type: "code",
    scope: "MYIR.Services",
    state: "a/state+1",
    // RFC 7636, appendix B.
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256",
    ...more,
  }).toString();
  return url;
}

/** Waits until the browser is at the application: the answer's parameters, the state checked and left out. */
export async function atApplication(browser, client) {
  const url = await browser.arrives((url) => url.startsWith(`${client.redirect_uris[0]}?`));
  const answer = Object.fromEntries(url.searchParams);
  assert.equal(answer.state, "a/state+1");
  delete answer.state;
  return answer;
}

/** Waits until the browser is at the application with a code. */
export async function isAuthorised(browser, client) {
  const answer = await atApplication(browser, client);
  assert.deepEqual(Object.keys(answer), ["code"]);
  assert.ok(answer.code.length >= 100);
}

export async function isPage(browser, heading, { fault = false } = {}) {
  const title = `${fault ? "Error: " : ""}${heading} – Gateway services`;
  await assertSoon(async () => {
    assert.equal(await browser.title(), title);
    assert.ok((await browser.text(await browser.one("h1"))).endsWith(heading));
    // What comes last on every page is there, and so all that is before it.
    await browser.one("footer");
  });
}

export async function logIn(browser, { user_id, password }) {
  await browser.fill("#user_id", user_id);
  await browser.fill("#password", password);
  await submit(browser, "login");
}

/** Submits the form that is posted to this endpoint, the `index`th of them. */
export async function submit(browser, endpoint, index = 0) {
  const buttons = await browser.all(`form[action$="/${endpoint}"] button`);
  await leaveBy(browser, buttons.at(index));
}

/** Clicks, and waits until the page has gone: the next may have the same address and title. */
export async function leaveBy(browser, element) {
  const page = await browser.one("html");
  await browser.click(element);
  await assertSoon(() => assert.rejects(browser.get(`element/${page}/name`), "the page stays"));
}

/** Gives one-time passwords until one is taken: each is good once, and another walk may have used one. */
export async function giveCode(browser, { totp_secret }) {
  for (const step of [-1, 0, 1]) {
    await browser.fill("#code", oneTimePassword(totp_secret, step));
    await submit(browser, "code");
    await assertSoon(() => browser.one("footer"));
    if ((await browser.all("#code")).length === 0) return;
  }
  throw new Error("no one-time password is taken");
}

export function wrongCode({ totp_secret }) {
  const right = [-2, -1, 0, 1, 2].map((step) => oneTimePassword(totp_secret, step));
  return ["000000", "000001", "000002", "000003", "000004", "000005"].find((code) => !right.includes(code));
}

/** RFC 6238 with SHA-1 and six digits, `step` steps from now. */
function oneTimePassword(secret, step) {
  const bits = [...secret].map((digit) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(digit).toString(2).padStart(5, "0"));
  const key = Buffer.from(bits.join("").match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + step));
  const digest = createHmac("sha1", key).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, "0");
}

/** Waits until the assertion holds. */
export async function assertSoon(holds, patienceMs = 5_000) {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      return await holds();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((done) => setTimeout(done, 25));
    }
  }
}
