//! The ten calls of ../README.md by tonic.

use std::env;
use std::time::Duration;

use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt;

mod api {
    #![allow(clippy::all, dead_code)]
    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}
use api::grpc::health::v1 as health;
use api::prbal::v1 as pb;
use pb::auth_service_client::AuthServiceClient;
use pb::catalog_service_client::CatalogServiceClient;
use pb::chat_service_client::ChatServiceClient;
use pb::event::Payload;
use pb::event_service_client::EventServiceClient;
use pb::system_service_client::SystemServiceClient;
use pb::user_service_client::UserServiceClient;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const PATIENCE: Duration = Duration::from_secs(20);

struct Calls {
    channel: Channel,
    token: String,
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn expect(holds: bool, what: impl std::fmt::Debug) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(format!("{what:?}").into())
    }
}

fn failure<T>(outcome: Result<T, Status>) -> Result<Status, String> {
    outcome.err().ok_or_else(|| "it did not fail".to_string())
}

fn patient<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}

impl Calls {
    fn mine<T>(&self, message: T) -> Request<T> {
        let mut request = patient(message);
        let token = MetadataValue::try_from(format!("Bearer {}", self.token)).unwrap();
        request.metadata_mut().insert("authorization", token);
        request
    }

    async fn health(&self) -> Outcome {
        let mut client = health::health_client::HealthClient::new(self.channel.clone());
        let answer = client.check(patient(Default::default())).await?.into_inner();
        expect(
            answer.status() == health::health_check_response::ServingStatus::Serving,
            answer,
        )
    }

    async fn list(&self) -> Outcome {
        let mut client = CatalogServiceClient::new(self.channel.clone())
            .send_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Gzip);
        let request = pb::ListCategoriesRequest { tree: true, ..Default::default() };
        let answer = client.list_categories(patient(request)).await?.into_inner();
        expect(!answer.categories.is_empty(), "no categories")
    }

    async fn login(&mut self) -> Outcome {
        let request = pb::LoginRequest {
            identifier: variable("PRBAL_EMAIL"),
            password: variable("PRBAL_PASSWORD"),
            ..Default::default()
        };
        let mut client = AuthServiceClient::new(self.channel.clone());
        let answer = client.login(patient(request)).await?.into_inner();
        self.token = answer.tokens.ok_or("no tokens")?.access_token;
        expect(!self.token.is_empty(), "no token")
    }

    async fn get_me(&self) -> Outcome {
        let mut client = UserServiceClient::new(self.channel.clone());
        let answer = client.get_me(self.mine(Default::default())).await?.into_inner();
        let email = answer.account.ok_or("no account")?.email;
        expect(email == variable("PRBAL_EMAIL"), email)
    }

    async fn details(&self) -> Outcome {
        let request = pb::RegisterRequest {
            email: "nobody".into(),
            user_type: 1,
            ..Default::default()
        };
        let mut client = AuthServiceClient::new(self.channel.clone());
        let status = failure(client.register(patient(request)).await)?;
        expect(status.code() == Code::InvalidArgument, &status)?;
        let bad = status.get_details_bad_request().ok_or("no BadRequest")?;
        expect(bad.field_violations[0].field == "email", bad)
    }

    async fn server_info(&self, id: &'static str) -> Result<tonic::metadata::MetadataMap, Status> {
        let mut request = patient(pb::GetServerInfoRequest {});
        request.metadata_mut().insert("x-request-id", MetadataValue::from_static(id));
        let mut client = SystemServiceClient::new(self.channel.clone());
        Ok(client.get_server_info(request).await?.metadata().clone())
    }

    async fn metadata(&self) -> Outcome {
        let headers = self.server_info("ten-calls-rust").await?;
        expect(headers.get("x-request-id").is_some_and(|id| id == "ten-calls-rust"), headers)
    }

    async fn subscribe(&self, timeout: Duration) -> Result<Streaming<pb::SubscribeResponse>, Status> {
        let mut request = self.mine(Default::default());
        request.set_timeout(timeout);
        let mut client = EventServiceClient::new(self.channel.clone());
        Ok(client.subscribe(request).await?.into_inner())
    }

    /// tonic's own timer ends the call as CANCELLED, "Timeout expired", when it
    /// is first: only the server's answer is DEADLINE_EXCEEDED.
    async fn deadline(&self) -> Outcome {
        let mut request = self.mine(pb::SubscribeRequest::default());
        request.metadata_mut().remove("grpc-timeout");
        request.metadata_mut().insert("grpc-timeout", MetadataValue::from_static("500m"));
        let mut client = EventServiceClient::new(self.channel.clone());
        let mut stream = client.subscribe(request).await?.into_inner();
        let status = loop {
            match stream.message().await {
                Ok(Some(_)) => continue,
                Ok(None) => return Err("the stream ended".into()),
                Err(status) => break status,
            }
        };
        expect(status.code() == Code::DeadlineExceeded, status)
    }

    async fn send(&self, content: &str) -> Outcome {
        let mut chat = ChatServiceClient::new(self.channel.clone());
        let request = pb::OpenDirectRoomRequest { target_user_id: variable("PRBAL_PEER") };
        let opened = chat.open_direct_room(self.mine(request)).await?.into_inner();
        let request = pb::SendMessageRequest {
            room_id: opened.room.ok_or("no room")?.room_id,
            content: content.into(),
            ..Default::default()
        };
        chat.send_message(self.mine(request)).await?;
        Ok(())
    }

    async fn stream(&self) -> Outcome {
        let mut stream = self.subscribe(PATIENCE).await?;
        while let Some(message) = stream.message().await? {
            match message.event.and_then(|event| event.payload) {
                Some(Payload::CaughtUp(_)) => self.send("by tonic").await?,
                Some(Payload::ChatMessage(sent)) => return expect(sent.content == "by tonic", sent),
                _ => continue,
            }
        }
        Err("no event came".into())
    }

    /// Dropping the stream cancels the call; nobody is left to see its status.
    async fn cancel(&self) -> Outcome {
        let mut stream = self.subscribe(PATIENCE).await?;
        stream.message().await?.ok_or("no first message")?;
        drop(stream);
        self.server_info("after-cancel").await?;
        Ok(())
    }

    async fn unimplemented(&self) -> Outcome {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await?;
        let codec = tonic::codec::ProstCodec::<(), ()>::default();
        let path = PathAndQuery::from_static("/prbal.v1.SystemService/NoSuchMethod");
        let status = failure(client.unary(patient(()), path, codec).await)?;
        expect(status.code() == Code::Unimplemented, status)
    }
}

async fn connect() -> Result<Channel, Box<dyn std::error::Error>> {
    let pem = std::fs::read_to_string(variable("PRBAL_CERT"))?;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
    let address = format!("https://localhost:{}", variable("PRBAL_PORT"));
    Ok(Channel::from_shared(address)?.tls_config(tls)?.connect().await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let channel = connect().await.expect("a connection");
    let mut calls = Calls { channel, token: String::new() };
    let outcomes = [
        ("health", calls.health().await),
        ("list", calls.list().await),
        ("login", calls.login().await),
        ("get_me", calls.get_me().await),
        ("details", calls.details().await),
        ("metadata", calls.metadata().await),
        ("deadline", calls.deadline().await),
        ("stream", calls.stream().await),
        ("cancel", calls.cancel().await),
        ("unimplemented", calls.unimplemented().await),
    ];
    for (name, outcome) in &outcomes {
        if let Err(error) = outcome {
            println!("FAILED {name}: {error}");
        }
    }
    let held = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    println!("{held} of {}", outcomes.len());
    std::process::exit(i32::from(held != outcomes.len()));
}
