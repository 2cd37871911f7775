// A customer in front of a browser without JavaScript: follows the pages' forms until the application's address comes.

/** Logs in and decides; returns the redirect to the application, as a URL. */
export async function authorise(start, customer, decision = "allow") {
  const cookies = new Map();
  let request = { url: new URL(start), method: "GET", body: undefined };
  for (let step = 0; step < 10; step += 1) {
    const response = await fetch(request.url, {
      method: request.method,
      body: request.body,
      redirect: "manual",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
    });
    for (const field of response.headers.getSetCookie()) {
      const [name, value] = field.split(";")[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (location) {
      const next = new URL(location, request.url);
      if (next.host !== request.url.host) return next;
      request = { url: next, method: "GET", body: undefined };
      continue;
    }
    const html = await response.text();
    const forms = [...html.matchAll(/<form[^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)];
    if (forms.length === 0) throw new Error(`no form at ${request.url}: ${response.status} ${html.slice(0, 400)}`);
    // The consent page's first form authorises, its second denies.
    const [, action, inner] = forms.length > 1 && decision === "deny" ? forms[1] : forms[0];
    const body = new URLSearchParams();
    for (const [tag] of inner.matchAll(/<(?:input|button)[^>]*>/g)) {
      const name = /name="([^"]*)"/.exec(tag)?.[1];
      if (name) body.set(name, /value="([^"]*)"/.exec(tag)?.[1] ?? "");
    }
    if (body.has("user_id")) body.set("user_id", customer.user_id);
    if (body.has("password")) body.set("password", customer.password);
    request = { url: new URL(action, request.url), method: "POST", body };
  }
  throw new Error("the pages do not end");
}

/** What `irgw dev` says of itself: the issuer, a cloud client, a customer. */
export async function development(path) {
  const { readFile } = await import("node:fs/promises");
  const dev = JSON.parse(await readFile(path, "utf8"));
  const client = dev.providers[0].clients.find((one) => one.kind === "cloud");
  return { issuer: dev.oauth.issuer, client, customer: dev.customers[0] };
}
