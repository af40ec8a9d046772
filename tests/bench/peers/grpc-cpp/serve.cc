// usage: serve --listen ADDRESS:PORT [--tls CERT KEY] [--threads N]
//
// Echo by gRPC's C++ and completion queues: a queue and a thread for each
// processor. The callback API did the same with 4-10 % more CPU per call (8 and
// 64 connections of 10 and 100 calls in flight, server on one core), the
// synchronous one with more than twice as much. Two threads for a queue, which
// gRPC's performance guide mentions, gained nothing on one core.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "testservice.grpc.pb.h"

namespace {

using prbal::test::EchoRequest;
using prbal::test::EchoResponse;
using Service = prbal::test::TestService::WithAsyncMethod_Echo<
    prbal::test::TestService::Service>;

// So many calls of a queue are awaited or answered at a time; others wait in
// gRPC. 64 to 256 cost the same, 1000 cost a tenth more: each call then meets
// memory that the caches have forgotten.
constexpr int kCallsPerQueue = 128;

struct Options {
    std::string listen;
    std::string cert;
    std::string key;
    int threads = 1;
};

// A call, and after it the next one in its place.
class Call {
public:
    Call(Service *service, grpc::ServerCompletionQueue *queue)
        : service_(service), queue_(queue)
    {
        Await();
    }

    // What it has waited for has happened; or not, and the server is ending.
    void Proceed(bool ok)
    {
        if (answering_)
            Await();
        else if (ok)
            Answer();
    }

private:
    struct State {
        grpc::ServerContext context;
        EchoRequest request;
        EchoResponse response;
        grpc::ServerAsyncResponseWriter<EchoResponse> writer{&context};
    };

    void Await()
    {
        answering_ = false;
        state_.emplace();
        service_->RequestEcho(&state_->context, &state_->request,
                              &state_->writer, queue_, queue_, this);
    }

    void Answer()
    {
        EchoRequest &request = state_->request;
        EchoResponse &response = state_->response;
        response.set_text(std::move(*request.mutable_text()));
        response.set_number(request.number());
        response.set_payload(std::move(*request.mutable_payload()));
        answering_ = true;
        state_->writer.Finish(response, grpc::Status::OK, this);
    }

    Service *service_;
    grpc::ServerCompletionQueue *queue_;
    std::optional<State> state_;
    bool answering_ = false;
};

void Run(Service *service, grpc::ServerCompletionQueue *queue)
{
    std::vector<std::unique_ptr<Call>> calls;
    for (int i = 0; i < kCallsPerQueue; i++)
        calls.push_back(std::make_unique<Call>(service, queue));
    void *tag;
    bool ok;
    while (queue->Next(&tag, &ok))
        static_cast<Call *>(tag)->Proceed(ok);
}

std::string ReadFile(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        std::fprintf(stderr, "%s cannot be read\n", path.c_str());
        std::exit(1);
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const Options &options)
{
    if (options.cert.empty())
        return grpc::InsecureServerCredentials();
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back(
        {ReadFile(options.key), ReadFile(options.cert)});
    return grpc::SslServerCredentials(tls);
}

[[noreturn]] void Usage()
{
    std::fputs("usage: serve --listen ADDRESS:PORT [--tls CERT KEY] "
               "[--threads N]\n",
               stderr);
    std::exit(2);
}

Options ReadOptions(int argc, char **argv)
{
    Options options;
    for (int i = 1; i < argc; i++) {
        const std::string name = argv[i];
        if (name == "--listen" && i + 1 < argc) {
            options.listen = argv[++i];
        } else if (name == "--tls" && i + 2 < argc) {
            options.cert = argv[++i];
            options.key = argv[++i];
        } else if (name == "--threads" && i + 1 < argc) {
            options.threads = std::atoi(argv[++i]);
        } else {
            Usage();
        }
    }
    if (options.listen.empty() || options.threads < 1)
        Usage();
    return options;
}

} // namespace

int main(int argc, char **argv)
{
    const Options options = ReadOptions(argc, argv);
    Service service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(options.listen, Credentials(options), &port);
    // Another server on the same port is a mistake here.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.RegisterService(&service);
    std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
    for (int i = 0; i < options.threads; i++)
        queues.push_back(builder.AddCompletionQueue());
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server || port == 0)
        return 1;

    std::vector<std::thread> threads;
    for (const auto &queue : queues)
        threads.emplace_back(Run, &service, queue.get());
    std::puts("ready");
    std::fflush(stdout);
    for (std::thread &thread : threads)
        thread.join(); // SIGTERM ends the process
}
