// The ten calls of ../README.md by @grpc/grpc-js.
import fs from "node:fs";
import path from "node:path";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import protobuf from "protobufjs";

const {PRBAL_PORT, PRBAL_CERT, PRBAL_EMAIL, PRBAL_PASSWORD, PRBAL_PEER, PROTO_PATH} = process.env;
const SECONDS = 20;

const names = ["auth", "catalog", "chat", "event", "system", "user"];
const api = grpc.loadPackageDefinition(
  loader.loadSync(
    [...names.map((name) => `prbal/v1/${name}.proto`), "grpc/health/v1/health.proto"],
    {includeDirs: [PROTO_PATH], enums: String, oneofs: true},
  ),
);

const credentials = grpc.credentials.createSsl(fs.readFileSync(PRBAL_CERT));
const stub = (service) => new service(`localhost:${PRBAL_PORT}`, credentials);
const health = stub(api.grpc.health.v1.Health);
const auth = stub(api.prbal.v1.AuthService);
const catalog = stub(api.prbal.v1.CatalogService);
const chat = stub(api.prbal.v1.ChatService);
const events = stub(api.prbal.v1.EventService);
const system = stub(api.prbal.v1.SystemService);
const users = stub(api.prbal.v1.UserService);

let token = "";

function metadata(pairs = {}) {
  const all = new grpc.Metadata();
  if (token) all.set("authorization", `Bearer ${token}`);
  for (const [name, value] of Object.entries(pairs)) all.set(name, value);
  return all;
}

const options = (ms = SECONDS * 1000) => ({deadline: Date.now() + ms});

// Of one call: the answer, and the metadata that came before it.
function unary(client, method, request, pairs) {
  return new Promise((resolve, reject) => {
    let headers;
    const call = client[method](request, metadata(pairs), options(), (error, answer) =>
      error ? reject(error) : resolve({answer, headers}),
    );
    call.on("metadata", (came) => (headers = came));
  });
}

function expect(what, holds) {
  if (!holds) throw new Error(what);
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

const subscribe = (ms) => events.subscribe({}, metadata(), options(ms));

const details = await protobuf.load(
  ["google/rpc/status.proto", "google/rpc/error_details.proto"].map((name) =>
    path.join(PROTO_PATH, name),
  ),
);

const calls = {
  async health() {
    const {answer} = await unary(health, "check", {});
    expect(answer.status, answer.status === "SERVING");
  },
  async list() {
    const {answer} = await unary(catalog, "listCategories", {tree: true}, {
      "grpc-internal-encoding-request": "gzip",
    });
    expect("no categories", answer.categories.length > 0);
  },
  async login() {
    const {answer} = await unary(auth, "login", {identifier: PRBAL_EMAIL, password: PRBAL_PASSWORD});
    token = answer.tokens.accessToken;
    expect("no token", token);
  },
  async getMe() {
    const {answer} = await unary(users, "getMe", {});
    expect(answer.account.email, answer.account.email === PRBAL_EMAIL);
  },
  async details() {
    const error = await failure(unary(auth, "register", {email: "nobody", userType: 1}));
    expect(error.message, error.code === grpc.status.INVALID_ARGUMENT);
    const status = details
      .lookupType("google.rpc.Status")
      .decode(error.metadata.get("grpc-status-details-bin")[0]);
    const any = status.details.find((d) => d.type_url.endsWith("/google.rpc.BadRequest"));
    const bad = details.lookupType("google.rpc.BadRequest").decode(any.value);
    expect(JSON.stringify(bad), bad.fieldViolations[0].field === "email");
  },
  async metadata() {
    const id = "ten-calls-grpc-js";
    const {headers} = await unary(system, "getServerInfo", {}, {"x-request-id": id});
    expect("another id", headers.get("x-request-id")[0] === id);
  },
  async deadline() {
    const error = await failure(
      new Promise((resolve, reject) => subscribe(500).on("data", () => {}).on("end", resolve).on("error", reject)),
    );
    expect(error.message, error.code === grpc.status.DEADLINE_EXCEEDED);
  },
  async stream() {
    const stream = subscribe();
    stream.on("error", () => {});
    for await (const {event} of stream) {
      if (event.payload === "caughtUp") {
        const {answer} = await unary(chat, "openDirectRoom", {targetUserId: PRBAL_PEER});
        await unary(chat, "sendMessage", {roomId: answer.room.roomId, content: "by grpc-js"});
      }
      if (event.payload === "chatMessage") {
        expect(event.chatMessage.content, event.chatMessage.content === "by grpc-js");
        return;
      }
    }
    throw new Error("no event came");
  },
  async cancel() {
    const stream = subscribe();
    const error = await failure(
      new Promise((resolve, reject) =>
        stream.on("data", () => stream.cancel()).on("end", resolve).on("error", reject),
      ),
    );
    expect(error.message, error.code === grpc.status.CANCELLED);
    await unary(system, "getServerInfo", {});
  },
  async unimplemented() {
    const error = await failure(
      new Promise((resolve, reject) =>
        system.makeUnaryRequest(
          "/prbal.v1.SystemService/NoSuchMethod",
          (bytes) => bytes,
          (bytes) => bytes,
          Buffer.alloc(0),
          (failed, answer) => (failed ? reject(failed) : resolve(answer)),
        ),
      ),
    );
    expect(error.message, error.code === grpc.status.UNIMPLEMENTED);
  },
};

let held = 0;
for (const [name, call] of Object.entries(calls)) {
  try {
    await call();
    held++;
  } catch (error) {
    console.log(`FAILED ${name}: ${error}`);
  }
}
console.log(`${held} of ${Object.keys(calls).length}`);
process.exit(held === Object.keys(calls).length ? 0 : 1);
