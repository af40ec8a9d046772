// The ten calls of ../README.md by @connectrpc/connect-node over HTTP/2, and by
// @connectrpc/connect-web, which is a browser's client, over fetch and HTTP/1.1.
import {Code, ConnectError, createClient} from "@connectrpc/connect";
import * as node from "@connectrpc/connect-node";
import * as web from "@connectrpc/connect-web";

import {BadRequestSchema} from "./gen/google/rpc/error_details_pb.js";
import {Health, HealthCheckResponse_ServingStatus} from "./gen/grpc/health/v1/health_pb.js";
import {AuthService} from "./gen/prbal/v1/auth_pb.js";
import {CatalogService} from "./gen/prbal/v1/catalog_pb.js";
import {ChatService} from "./gen/prbal/v1/chat_pb.js";
import {EventService} from "./gen/prbal/v1/event_pb.js";
import {SystemService} from "./gen/prbal/v1/system_pb.js";
import {UserService} from "./gen/prbal/v1/user_pb.js";

const {PRBAL_PORT, PRBAL_EMAIL, PRBAL_PASSWORD, PRBAL_PEER} = process.env;
const address = {baseUrl: `https://localhost:${PRBAL_PORT}`, defaultTimeoutMs: 20000};
const http2 = {
  ...address,
  httpVersion: "2",
  acceptCompression: [node.compressionGzip],
  sendCompression: node.compressionGzip,
  compressMinBytes: 0,
};

const transports = {
  "node-grpc": () => node.createGrpcTransport(http2),
  "node-grpc-web": () => node.createGrpcWebTransport(http2),
  "node-connect": () => node.createConnectTransport(http2),
  "node-connect-json": () => node.createConnectTransport({...http2, useBinaryFormat: false}),
  "node-connect-http1": () => node.createConnectTransport({...http2, httpVersion: "1.1"}),
  "web-grpc-web": () => web.createGrpcWebTransport(address),
  "web-connect": () => web.createConnectTransport({...address, useHttpGet: true}),
};

function expect(what, holds) {
  if (!holds) throw new Error(what);
}

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error("it did not fail");
}

function tenCalls(transport, name) {
  const client = (service) => createClient(service, transport);
  const system = client(SystemService);
  const events = client(EventService);
  const me = {headers: {}};
  const subscribe = (options) => events.subscribe({}, {...me, ...options});

  return {
    async health() {
      const {status} = await client(Health).check({});
      expect(status, status === HealthCheckResponse_ServingStatus.SERVING);
    },
    async list() {
      const {categories} = await client(CatalogService).listCategories({tree: true});
      expect("no categories", categories.length > 0);
    },
    async login() {
      const {tokens} = await client(AuthService).login({identifier: PRBAL_EMAIL, password: PRBAL_PASSWORD});
      expect("no token", tokens.accessToken);
      me.headers = {authorization: `Bearer ${tokens.accessToken}`};
    },
    async getMe() {
      const {account} = await client(UserService).getMe({}, me);
      expect(account.email, account.email === PRBAL_EMAIL);
    },
    async details() {
      const error = await failure(client(AuthService).register({email: "nobody", userType: 1}));
      expect(error.message, error.code === Code.InvalidArgument);
      const [bad] = error.findDetails(BadRequestSchema);
      expect("no details", bad?.fieldViolations[0].field === "email");
    },
    async metadata() {
      const id = `ten-calls-${name}`;
      let came;
      await system.getServerInfo({}, {headers: {"x-request-id": id}, onHeader: (h) => (came = h)});
      expect("another id", came.get("x-request-id") === id);
    },
    async deadline() {
      const error = await failure(
        (async () => {
          for await (const _ of subscribe({timeoutMs: 500}));
        })(),
      );
      expect(error.message, error.code === Code.DeadlineExceeded);
    },
    async stream() {
      const chat = client(ChatService);
      const done = new AbortController(); // leaving the loop ends no stream
      for await (const {event} of subscribe({signal: done.signal})) {
        if (event.payload.case === "caughtUp") {
          const {room} = await chat.openDirectRoom({targetUserId: PRBAL_PEER}, me);
          await chat.sendMessage({roomId: room.roomId, content: `by ${name}`}, me);
        }
        if (event.payload.case === "chatMessage") {
          done.abort();
          expect(event.payload.value.content, event.payload.value.content === `by ${name}`);
          return;
        }
      }
      throw new Error("no event came");
    },
    async cancel() {
      const abort = new AbortController();
      const error = await failure(
        (async () => {
          for await (const _ of subscribe({signal: abort.signal})) abort.abort();
        })(),
      );
      expect(error.message, error.code === Code.Canceled);
      await system.getServerInfo({});
    },
    async unimplemented() {
      const method = {...SystemService.method.getServerInfo, name: "NoSuchMethod"};
      const error = await failure(transport.unary(method, undefined, undefined, undefined, {}));
      expect(error.message, error.code === Code.Unimplemented);
    },
  };
}

async function hold(name) {
  const calls = tenCalls(transports[name](), name);
  let held = 0;
  for (const [title, call] of Object.entries(calls)) {
    try {
      await call();
      held++;
    } catch (error) {
      console.log(`FAILED ${name} ${title}: ${error}`);
    }
  }
  console.log(`${name}: ${held} of ${Object.keys(calls).length}`);
  return held === Object.keys(calls).length;
}

let fine = true;
for (const name of process.argv.length > 2 ? process.argv.slice(2) : Object.keys(transports))
  fine = (await hold(name)) && fine;
process.exit(fine ? 0 : 1);
