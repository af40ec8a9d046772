// Echo by @grpc/grpc-js, with the messages of @grpc/proto-loader as its guide has
// them. Node.js runs JavaScript on one thread: --threads N is N processes by
// node:cluster.
//
// Tried, and within the noise: channelz off, a larger space for young objects
// (--max-semi-space-size). 64-bit numbers stay Long objects, which costs less than
// strings of them.
import cluster from "node:cluster";
import fs from "node:fs";
import {parseArgs} from "node:util";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

function readOptions() {
  const {values, positionals} = parseArgs({
    options: {
      listen: {type: "string"},
      tls: {type: "string"},
      threads: {type: "string", default: "1"},
    },
    allowPositionals: true, // the KEY after --tls CERT
  });
  const threads = Number(values.threads);
  const isComplete = positionals.length === (values.tls ? 1 : 0);
  if (!values.listen || !isComplete || !(threads >= 1)) {
    console.error("usage: serve --listen ADDRESS:PORT [--tls CERT KEY] [--threads N]");
    process.exit(2);
  }
  return {listen: values.listen, cert: values.tls, key: positionals[0], threads};
}

function echo(call, answer) {
  const {text, number, payload} = call.request;
  answer(null, {text, number, payload});
}

function credentials({cert, key}) {
  if (!cert) return grpc.ServerCredentials.createInsecure();
  const pair = {cert_chain: fs.readFileSync(cert), private_key: fs.readFileSync(key)};
  return grpc.ServerCredentials.createSsl(null, [pair]);
}

function serve(options, onReady) {
  const descriptors = fs.readFileSync(new URL("testservice.pb", import.meta.url));
  const api = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(descriptors));
  const server = new grpc.Server();
  server.addService(api.prbal.test.TestService.service, {Echo: echo});
  server.bindAsync(options.listen, credentials(options), (error) => {
    if (error) throw error;
    onReady();
  });
}

const sayReady = () => console.log("ready");

// A worker that dies takes all with it: the figures would be another server's.
function serveByProcesses({threads}) {
  let missing = threads;
  for (let i = 0; i < threads; i++) cluster.fork();
  cluster.on("message", () => {
    missing--;
    if (missing === 0) sayReady();
  });
  cluster.on("exit", () => process.exit(1));
}

const options = readOptions();
if (cluster.isWorker) serve(options, () => process.send("ready"));
else if (options.threads === 1) serve(options, sayReady);
else serveByProcesses(options);
