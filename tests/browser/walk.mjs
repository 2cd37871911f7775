// Every page in the order in which a customer may come to it; `look` is told of each.
import assert from "node:assert/strict";
import {
  atApplication, authorisation, client, customer, dev, giveCode, isAuthorised, isPage, leaveBy, logIn, pages, submit,
  wrongCode,
} from "./customer.mjs";

/** The customer has a second step, and this provider's application is not connected. */
export async function walk(browser, provider, look) {
  const moa = customer("moa.customer");
  const application = client(provider, "cloud");

  await browser.go(authorisation(application));
  await isPage(browser, "Log in");
  await look("login");
  await logIn(browser, { user_id: moa.user_id, password: "wrong" });
  await isPage(browser, "Log in", { fault: true });
  await look("login-refused");
  await logIn(browser, moa);
  await isPage(browser, "Enter your code");
  await look("code");
  await browser.fill("#code", wrongCode(moa));
  await submit(browser, "code");
  await isPage(browser, "Enter your code", { fault: true });
  await look("code-refused");
  await giveCode(browser, moa);

  await isPage(browser, "Authorise an application");
  await namesProvider(browser, provider);
  await look("consent");
  await submit(browser, "consent", 1);
  assert.deepEqual(await atApplication(browser, application), { error: "access_denied" });

  // The login stands; a denial is not remembered.
  await browser.go(authorisation(application));
  await isPage(browser, "Authorise an application");
  await submit(browser, "consent");
  await isAuthorised(browser, application);

  // What was answered cannot be answered again: the way back leads to a form that is used, or to none.
  await browser.back();
  await usedForm(browser, look);

  // The consent stands: no page at all.
  await browser.goAway(authorisation(application));
  await isAuthorised(browser, application);

  await connected(browser, application, look);

  // Withdrawn: asked again. Not answered, so that it stays withdrawn.
  await browser.go(authorisation(application));
  await isPage(browser, "Authorise an application");

  await browser.go(authorisation(application, { logout: "true" }));
  await isPage(browser, "Log in");
  await browser.go(`${pages}applications`);
  await isPage(browser, "Log in");
  await look("login-alone");
  await logIn(browser, customer("kea.customer"));
  await isPage(browser, "Connected applications");
  await submit(browser, "logout");
  await isPage(browser, "You are logged out");
  await look("logged-out");
  await browser.go(`${pages}applications`);
  await isPage(browser, "Log in");

  // The address that a form is posted to is no page by itself.
  await browser.go(`${pages}consent`);
  await isPage(browser, "This request cannot be used", { fault: true });
  await look("bad-request");
  await browser.go(authorisation(application));
  await isPage(browser, "Log in");
}

/** By the name that it is known by, not by its id. */
async function namesProvider(browser, provider) {
  const names = await Promise.all((await browser.all(".facts .name")).map((name) => browser.text(name)));
  assert.equal(names.length, 3);
  assert.notEqual(names[1], dev.providers[provider].id);
}

async function usedForm(browser, look) {
  // Chromium shows a page of its own, since ours are not stored; a reload sends the form again.
  if ((await browser.all("form")).length > 0) await submit(browser, "consent");
  else await browser.reload();
  await isPage(browser, "This page has timed out", { fault: true });
  await look("timed-out");
}

async function connected(browser, application, look) {
  await browser.go(`${pages}applications`);
  await isPage(browser, "Connected applications");
  await look("connected");
  const before = (await browser.all(".card")).length;
  // Who writes the address cannot have the page say that something was withdrawn.
  await browser.go(`${pages}applications?withdrawn=${application.client_id}`);
  assert.deepEqual(await browser.all(".success"), []);
  const card = `form:has(input[name=client_id][value="${application.client_id}"]) button`;
  await leaveBy(browser, await browser.one(card));
  await isPage(browser, "Connected applications");
  assert.equal((await browser.all(".card")).length, before - 1);
  const told = await browser.text(await browser.one(".success"));
  assert.match(told, /can no longer act for you/);
  await look("withdrawn");
}
