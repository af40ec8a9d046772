import io.grpc.InsecureServerCredentials;
import io.grpc.ServerCredentials;
import io.grpc.TlsServerCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollServerSocketChannel;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.io.IOException;
import java.net.InetSocketAddress;
import prbal.test.TestServiceGrpc;
import prbal.test.Testservice.EchoRequest;
import prbal.test.Testservice.EchoResponse;

/**
 * Echo by grpc-java on Netty's epoll transport: an event loop for each processor,
 * and calls that are answered on it, since the handler does not block. TLS is
 * BoringSSL's by netty-tcnative, which grpc-netty-shaded brings along.
 */
public final class EchoServer extends TestServiceGrpc.TestServiceImplBase {
    private record Options(InetSocketAddress listen, File cert, File key, int threads) {
        static Options read(String[] arguments) {
            InetSocketAddress listen = null;
            File cert = null;
            File key = null;
            int threads = 1;
            for (int i = 0; i < arguments.length; i++) {
                switch (arguments[i]) {
                    case "--listen" -> listen = address(arguments[++i]);
                    case "--threads" -> threads = Integer.parseInt(arguments[++i]);
                    case "--tls" -> {
                        cert = new File(arguments[++i]);
                        key = new File(arguments[++i]);
                    }
                    default -> throw new IllegalArgumentException(arguments[i]);
                }
            }
            return new Options(listen, cert, key, threads);
        }

        private static InetSocketAddress address(String text) {
            int colon = text.lastIndexOf(':');
            int port = Integer.parseInt(text.substring(colon + 1));
            return new InetSocketAddress(text.substring(0, colon), port);
        }

        ServerCredentials credentials() throws IOException {
            if (cert == null) {
                return InsecureServerCredentials.create();
            }
            return TlsServerCredentials.create(cert, key);
        }
    }

    @Override
    public void echo(EchoRequest request, StreamObserver<EchoResponse> answer) {
        answer.onNext(
                EchoResponse.newBuilder()
                        .setText(request.getText())
                        .setNumber(request.getNumber())
                        .setPayload(request.getPayload())
                        .build());
        answer.onCompleted();
    }

    public static void main(String[] arguments) throws Exception {
        Options options = Options.read(arguments);
        EventLoopGroup loops =
                new MultiThreadIoEventLoopGroup(options.threads(), EpollIoHandler.newFactory());
        NettyServerBuilder.forAddress(options.listen(), options.credentials())
                .bossEventLoopGroup(loops)
                .workerEventLoopGroup(loops)
                .channelType(EpollServerSocketChannel.class)
                .directExecutor()
                .addService(new EchoServer())
                .build()
                .start();
        System.out.println("ready");
        Thread.currentThread().join(); // SIGTERM ends the process
    }
}
