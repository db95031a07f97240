// A provider of OpenID Connect for tests: a real one, with a sign-in that asks nothing and mistakes on demand.
//
// Reads a command a line from standard input, JSON, and answers each with a line. The first line that it writes has its
// address. It ends with its input.
import { createHmac, createPublicKey, createSign, generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

// It tells what it thinks of its settings on standard output, which is for answers.
console.info = console.warn = () => {};
const { Provider } = await import(new URL("../../web/node_modules/oidc-provider/lib/index.js", import.meta.url));

const CLIENT = "hromada";
const SECRET = "a secret of at least thirty-two bytes";

/** Records by kind and id, for as long as the process lives. */
const records = new Map();

class Adapter {
  constructor(kind) {
    this.kind = kind;
  }
  key(id) {
    return `${this.kind} ${id}`;
  }
  async upsert(id, payload) {
    records.set(this.key(id), payload);
  }
  async find(id) {
    return records.get(this.key(id));
  }
  async findByUid(uid) {
    return [...records].find(([key, payload]) => key.startsWith(`${this.kind} `) && payload.uid === uid)?.[1];
  }
  async findByUserCode() {}
  async consume(id) {
    records.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    records.delete(this.key(id));
  }
  async revokeByGrantId(grant) {
    for (const [key, payload] of records) if (payload.grantId === grant) records.delete(key);
  }
}

const newKey = () => ({ kid: randomUUID(), ...generateKeyPairSync("rsa", { modulusLength: 2048 }) });

let key = newKey();
let removed;
let redirect = "http://127.0.0.1:1/account/single/callback";
let groupsInIdToken = true;
let mistake = null;
let down = false;
let provider;
let answer;
const accounts = new Map();
const asked = {};

const encoded = (json) => Buffer.from(JSON.stringify(json)).toString("base64url");
const decoded = (text) => JSON.parse(Buffer.from(text, "base64url"));

function signed(header, payload, by) {
  const text = `${encoded(header)}.${encoded(payload)}`;
  return `${text}.${createSign("RSA-SHA256").update(text).sign(by.privateKey, "base64url")}`;
}

/** The ID token with a mistake in it. All but those of the signature itself are signed by the right key. */
function mistaken(token) {
  const [header, payload] = token.split(".").slice(0, 2).map(decoded);
  const now = Math.floor(Date.now() / 1000);
  const again = (changes) => signed(header, { ...payload, ...changes }, key);
  const shared = (secret) => {
    const text = `${encoded({ alg: "HS256" })}.${encoded(payload)}`;
    return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
  };
  switch (mistake) {
    case "expired":
      return again({ iat: now - 7200, exp: now - 3600 });
    case "audience":
      return again({ aud: "somebody-else" });
    case "audiences":
      return again({ aud: [CLIENT, "somebody-else"] });
    case "azp":
      return again({ azp: "somebody-else" });
    case "issuer":
      return again({ iss: "https://evil.test" });
    case "nonce":
      return again({ nonce: "of-another-sign-in" });
    case "no-nonce":
      return again({ nonce: undefined });
    case "other-subject":
      return again({ sub: "somebody-else", groups: undefined });
    case "none":
      return `${encoded({ alg: "none" })}.${encoded(payload)}.`;
    case "shared-secret":
      return shared(SECRET);
    case "public-key-as-secret":
      return shared(createPublicKey(key.privateKey).export({ type: "spki", format: "pem" }));
    case "other-key":
      return signed(header, payload, newKey());
    case "unknown-key":
      return signed({ ...header, kid: "nobody-knows" }, payload, newKey());
    case "removed-key":
      return signed({ ...header, kid: removed.kid }, payload, removed);
    case "changed": {
      const [, , signature] = token.split(".");
      return `${encoded(header)}.${encoded({ ...payload, groups: ["admins"] })}.${signature}`;
    }
    default:
      throw new Error(`an unknown mistake: ${mistake}`);
  }
}

function build() {
  const jwk = { ...key.privateKey.export({ format: "jwk" }), kid: key.kid, use: "sig", alg: "RS256" };
  provider = new Provider(issuer, {
    adapter: Adapter,
    jwks: { keys: [jwk] },
    cookies: { keys: ["of the tests"] },
    clients: [{ client_id: CLIENT, client_secret: SECRET, redirect_uris: [redirect] }],
    pkce: { required: () => true },
    conformIdTokenClaims: !groupsInIdToken,
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username", "groups"] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    async findAccount(_, sub) {
      return { accountId: sub, claims: async () => ({ sub, ...accounts.get(sub) }) };
    },
    // Nobody is asked whether they agree.
    async loadExistingGrant(ctx) {
      const { client, session } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
  });
  provider.use(async (ctx, next) => {
    const name = ctx.path.split("/").pop();
    asked[name] = (asked[name] ?? 0) + 1;
    await next();
    if (mistake && ctx.body?.id_token) ctx.body.id_token = mistaken(ctx.body.id_token);
  });
  answer = provider.callback();
}

/** Signs in whom the hint names. */
async function interact(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const result =
    params.login_hint === "nobody"
      ? { error: "access_denied", error_description: "<script>alert(1)</script>" }
      : { login: { accountId: params.login_hint } };
  await provider.interactionFinished(request, response, result);
}

const sockets = new Set();
const server = createServer((request, response) => {
  if (request.url.startsWith("/interaction/")) {
    interact(request, response).catch((error) => response.writeHead(500).end(String(error)));
  } else {
    answer(request, response);
  }
});
server.on("connection", (socket) => {
  // The port stays ours, so that nobody else gets it meanwhile.
  if (down) return socket.destroy();
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
build();

const COMMANDS = {
  redirect: (to) => ((redirect = to), build()),
  groupsInIdToken: (is) => ((groupsInIdToken = is), build()),
  account: ({ sub, ...claims }) => accounts.set(sub, claims),
  mistake: (name) => (mistake = name),
  rotate: () => ((removed = key), (key = newKey()), build()),
  down: (is) => {
    down = is;
    if (is) for (const socket of sockets) socket.destroy();
  },
  asked: () => asked,
};

const write = (json) => process.stdout.write(`${JSON.stringify(json)}\n`);
write({ issuer, client: CLIENT, secret: SECRET });
for await (const line of createInterface({ input: process.stdin })) {
  const [[name, value]] = Object.entries(JSON.parse(line));
  const said = COMMANDS[name](value);
  write(name === "asked" ? said : {});
}
process.exit(0);
