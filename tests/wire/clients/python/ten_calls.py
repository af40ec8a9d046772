"""The ten calls of ../README.md by grpcio."""

import os
import sys

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from prbal.v1 import auth_pb2, auth_pb2_grpc
from prbal.v1 import catalog_pb2, catalog_pb2_grpc
from prbal.v1 import chat_pb2, chat_pb2_grpc
from prbal.v1 import event_pb2, event_pb2_grpc
from prbal.v1 import system_pb2, system_pb2_grpc
from prbal.v1 import user_pb2, user_pb2_grpc

SECONDS = 20


def connect():
    with open(os.environ["PRBAL_CERT"], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    return grpc.secure_channel("localhost:" + os.environ["PRBAL_PORT"], credentials)


class Calls:
    def __init__(self, channel):
        self.channel = channel
        self.auth = auth_pb2_grpc.AuthServiceStub(channel)
        self.events = event_pb2_grpc.EventServiceStub(channel)
        self.system = system_pb2_grpc.SystemServiceStub(channel)
        self.me = []

    def health(self):
        stub = health_pb2_grpc.HealthStub(self.channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    def list(self):
        stub = catalog_pb2_grpc.CatalogServiceStub(self.channel)
        answer = stub.ListCategories(
            catalog_pb2.ListCategoriesRequest(tree=True),
            timeout=SECONDS,
            compression=grpc.Compression.Gzip,
        )
        assert len(answer.categories) > 0

    def login(self):
        answer = self.auth.Login(
            auth_pb2.LoginRequest(
                identifier=os.environ["PRBAL_EMAIL"],
                password=os.environ["PRBAL_PASSWORD"],
            ),
            timeout=SECONDS,
        )
        assert answer.tokens.access_token
        self.me = [("authorization", "Bearer " + answer.tokens.access_token)]

    def get_me(self):
        stub = user_pb2_grpc.UserServiceStub(self.channel)
        answer = stub.GetMe(user_pb2.GetMeRequest(), metadata=self.me, timeout=SECONDS)
        assert answer.account.email == os.environ["PRBAL_EMAIL"]

    def details(self):
        try:
            self.auth.Register(
                auth_pb2.RegisterRequest(email="nobody", user_type=1), timeout=SECONDS
            )
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
            bad = error_details_pb2.BadRequest()
            assert any(d.Unpack(bad) for d in rpc_status.from_call(error).details)
            assert bad.field_violations[0].field == "email"
        else:
            raise AssertionError("registered")

    def metadata(self):
        _, call = self.system.GetServerInfo.with_call(
            system_pb2.GetServerInfoRequest(),
            metadata=[("x-request-id", "ten-calls-python")],
            timeout=SECONDS,
        )
        assert dict(call.initial_metadata())["x-request-id"] == "ten-calls-python"

    def deadline(self):
        try:
            for _ in self.subscribe(0.5):
                pass
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        else:
            raise AssertionError("the stream ended")

    def subscribe(self, timeout):
        return self.events.Subscribe(
            event_pb2.SubscribeRequest(), metadata=self.me, timeout=timeout
        )

    def send(self, content):
        stub = chat_pb2_grpc.ChatServiceStub(self.channel)
        room = stub.OpenDirectRoom(
            chat_pb2.OpenDirectRoomRequest(target_user_id=os.environ["PRBAL_PEER"]),
            metadata=self.me,
            timeout=SECONDS,
        ).room
        stub.SendMessage(
            chat_pb2.SendMessageRequest(room_id=room.room_id, content=content),
            metadata=self.me,
            timeout=SECONDS,
        )

    def stream(self):
        for message in self.subscribe(SECONDS):
            kind = message.event.WhichOneof("payload")
            if kind == "caught_up":
                self.send("by grpcio")
            if kind == "chat_message":
                assert message.event.chat_message.content == "by grpcio"
                return
        raise AssertionError("no event came")

    def cancel(self):
        call = self.subscribe(SECONDS)
        next(call)
        call.cancel()
        assert call.code() == grpc.StatusCode.CANCELLED
        self.system.GetServerInfo(system_pb2.GetServerInfoRequest(), timeout=SECONDS)

    def unimplemented(self):
        call = self.channel.unary_unary("/prbal.v1.SystemService/NoSuchMethod")
        try:
            call(b"", timeout=SECONDS)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNIMPLEMENTED
        else:
            raise AssertionError("answered")


def main():
    held = 0
    with connect() as channel:
        calls = Calls(channel)
        tests = [
            calls.health,
            calls.list,
            calls.login,
            calls.get_me,
            calls.details,
            calls.metadata,
            calls.deadline,
            calls.stream,
            calls.cancel,
            calls.unimplemented,
        ]
        for test in tests:
            try:
                test()
                held += 1
            except Exception as error:  # each call is a test of its own
                print(f"FAILED {test.__name__}: {error!r}")
    print(f"{held} of {len(tests)}")
    sys.exit(held != len(tests))


main()
