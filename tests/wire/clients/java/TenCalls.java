import com.google.rpc.BadRequest;
import io.grpc.CallOptions;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import prbal.v1.AuthServiceGrpc;
import prbal.v1.CatalogServiceGrpc;
import prbal.v1.ChatServiceGrpc;
import prbal.v1.EventServiceGrpc;
import prbal.v1.SystemServiceGrpc;
import prbal.v1.UserServiceGrpc;

/** The ten calls of ../README.md by grpc-java. */
public final class TenCalls {
  interface Call {
    void make() throws Exception;
  }

  private static final long SECONDS = 20;
  private static final Metadata.Key<String> AUTHORIZATION = text("authorization");
  private static final Metadata.Key<String> REQUEST_ID = text("x-request-id");

  private final ManagedChannel channel;
  private final SystemServiceGrpc.SystemServiceBlockingStub system;
  private String token;

  private TenCalls() throws Exception {
    var credentials =
        TlsChannelCredentials.newBuilder().trustManager(new File(System.getenv("PRBAL_CERT"))).build();
    channel =
        Grpc.newChannelBuilder("localhost:" + System.getenv("PRBAL_PORT"), credentials).build();
    system = SystemServiceGrpc.newBlockingStub(channel);
  }

  private static Metadata.Key<String> text(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static ClientInterceptor attach(Metadata.Key<String> name, String value) {
    var headers = new Metadata();
    headers.put(name, value);
    return MetadataUtils.newAttachHeadersInterceptor(headers);
  }

  private <S extends AbstractStub<S>> S patient(S stub) {
    return stub.withDeadlineAfter(SECONDS, TimeUnit.SECONDS);
  }

  private <S extends AbstractStub<S>> S mine(S stub) {
    return patient(stub).withInterceptors(attach(AUTHORIZATION, "Bearer " + token));
  }

  private static void expect(boolean holds, Object what) {
    if (!holds) throw new AssertionError(what);
  }

  private static StatusRuntimeException failure(Call call) throws Exception {
    try {
      call.make();
    } catch (StatusRuntimeException error) {
      return error;
    }
    throw new AssertionError("it did not fail");
  }

  private static void expectCode(Status.Code code, Call call) throws Exception {
    var error = failure(call);
    expect(error.getStatus().getCode() == code, error);
  }

  private void health() {
    var answer = patient(HealthGrpc.newBlockingStub(channel)).check(HealthCheckRequest.getDefaultInstance());
    expect(answer.getStatus() == ServingStatus.SERVING, answer);
  }

  private void list() {
    var answer =
        patient(CatalogServiceGrpc.newBlockingStub(channel))
            .withCompression("gzip")
            .listCategories(prbal.v1.Catalog.ListCategoriesRequest.newBuilder().setTree(true).build());
    expect(answer.getCategoriesCount() > 0, "no categories");
  }

  private void login() {
    var answer =
        patient(AuthServiceGrpc.newBlockingStub(channel))
            .login(
                prbal.v1.Auth.LoginRequest.newBuilder()
                    .setIdentifier(System.getenv("PRBAL_EMAIL"))
                    .setPassword(System.getenv("PRBAL_PASSWORD"))
                    .build());
    token = answer.getTokens().getAccessToken();
    expect(!token.isEmpty(), "no token");
  }

  private void getMe() {
    var answer =
        mine(UserServiceGrpc.newBlockingStub(channel))
            .getMe(prbal.v1.User.GetMeRequest.getDefaultInstance());
    expect(answer.getAccount().getEmail().equals(System.getenv("PRBAL_EMAIL")), answer);
  }

  private void details() throws Exception {
    var request =
        prbal.v1.Auth.RegisterRequest.newBuilder().setEmail("nobody").setUserTypeValue(1).build();
    var error = failure(() -> patient(AuthServiceGrpc.newBlockingStub(channel)).register(request));
    expect(error.getStatus().getCode() == Status.Code.INVALID_ARGUMENT, error);
    for (var detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(BadRequest.class)) {
        var violation = detail.unpack(BadRequest.class).getFieldViolations(0);
        expect(violation.getField().equals("email"), violation);
        return;
      }
    }
    throw new AssertionError("no BadRequest");
  }

  private void serverInfo(ClientInterceptor... interceptors) {
    patient(system)
        .withInterceptors(interceptors)
        .getServerInfo(prbal.v1.System.GetServerInfoRequest.getDefaultInstance());
  }

  private void metadata() {
    var headers = new AtomicReference<Metadata>();
    serverInfo(
        attach(REQUEST_ID, "ten-calls-java"),
        MetadataUtils.newCaptureMetadataInterceptor(headers, new AtomicReference<>()));
    expect("ten-calls-java".equals(headers.get().get(REQUEST_ID)), headers.get());
  }

  private Iterator<prbal.v1.EventOuterClass.SubscribeResponse> subscribe(long ms) {
    return mine(EventServiceGrpc.newBlockingStub(channel))
        .withDeadlineAfter(ms, TimeUnit.MILLISECONDS)
        .subscribe(prbal.v1.EventOuterClass.SubscribeRequest.getDefaultInstance());
  }

  private void deadline() throws Exception {
    expectCode(Status.Code.DEADLINE_EXCEEDED, () -> subscribe(500).forEachRemaining(message -> {}));
  }

  private void send(String content) {
    var chat = mine(ChatServiceGrpc.newBlockingStub(channel));
    var room =
        chat.openDirectRoom(
                prbal.v1.Chat.OpenDirectRoomRequest.newBuilder()
                    .setTargetUserId(System.getenv("PRBAL_PEER"))
                    .build())
            .getRoom();
    chat.sendMessage(
        prbal.v1.Chat.SendMessageRequest.newBuilder()
            .setRoomId(room.getRoomId())
            .setContent(content)
            .build());
  }

  private void readUntilMessage() {
    var stream = subscribe(SECONDS * 1000);
    while (stream.hasNext()) {
      var event = stream.next().getEvent();
      if (event.hasCaughtUp()) send("by grpc-java");
      if (event.hasChatMessage()) {
        expect(event.getChatMessage().getContent().equals("by grpc-java"), event);
        return;
      }
    }
    throw new AssertionError("no event came");
  }

  private void stream() throws Exception {
    Context.CancellableContext context = Context.current().withCancellation();
    try {
      context.run(this::readUntilMessage);
    } finally {
      context.cancel(null);
    }
  }

  private void cancel() throws Exception {
    Context.CancellableContext context = Context.current().withCancellation();
    expectCode(
        Status.Code.CANCELLED,
        () ->
            context.call(
                () -> {
                  var stream = subscribe(SECONDS * 1000);
                  stream.next();
                  context.cancel(null);
                  stream.forEachRemaining(message -> {});
                  return null;
                }));
    serverInfo();
  }

  private void unimplemented() throws Exception {
    MethodDescriptor<prbal.v1.System.GetServerInfoRequest, prbal.v1.System.GetServerInfoResponse> method =
        SystemServiceGrpc.getGetServerInfoMethod().toBuilder()
            .setFullMethodName("prbal.v1.SystemService/NoSuchMethod")
            .build();
    expectCode(
        Status.Code.UNIMPLEMENTED,
        () ->
            ClientCalls.blockingUnaryCall(
                channel,
                method,
                CallOptions.DEFAULT.withDeadlineAfter(SECONDS, TimeUnit.SECONDS),
                prbal.v1.System.GetServerInfoRequest.getDefaultInstance()));
  }

  private Map<String, Call> calls() {
    Map<String, Call> calls = new LinkedHashMap<>();
    calls.put("health", this::health);
    calls.put("list", this::list);
    calls.put("login", this::login);
    calls.put("getMe", this::getMe);
    calls.put("details", this::details);
    calls.put("metadata", this::metadata);
    calls.put("deadline", this::deadline);
    calls.put("stream", this::stream);
    calls.put("cancel", this::cancel);
    calls.put("unimplemented", this::unimplemented);
    return calls;
  }

  public static void main(String[] arguments) throws Exception {
    var calls = new TenCalls().calls();
    int held = 0;
    for (var call : calls.entrySet()) {
      try {
        call.getValue().make();
        held++;
      } catch (Exception | AssertionError error) {
        System.out.println("FAILED " + call.getKey() + ": " + error);
      }
    }
    System.out.println(held + " of " + calls.size());
    System.exit(held == calls.size() ? 0 : 1);
  }
}
