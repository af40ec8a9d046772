//! Who listens hears what is published.
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Mutex;

use prost::Message;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError::Lagged;
use tokio_stream::{Stream, StreamExt};
use tonic::codec::{BufferSettings, Codec};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use stubs::streams_server::Streams;
pub use stubs::streams_server::StreamsServer;
use stubs::{Event, PublishRequest, PublishResponse, SubscribeRequest};

mod stubs {
    #![allow(clippy::all)]
    tonic::include_proto!("prbal.bench");
}

// What a client may be behind before its stream ends.
const EVENTS_KEPT: usize = 4096;

/// One ring for all of them: a stream that waits is a place in a list. A channel
/// for each would set a block of 32 events aside.
pub struct Channel {
    sender: broadcast::Sender<Event>,
    last_event_id: Mutex<i64>,
}

impl Channel {
    pub fn new() -> Self {
        Channel {
            sender: broadcast::Sender::new(EVENTS_KEPT),
            last_event_id: Mutex::new(0),
        }
    }
}

#[tonic::async_trait]
impl Streams for Channel {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<Event, Status>> + Send>>;

    async fn subscribe(
        &self,
        _: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let events = BroadcastStream::new(self.sender.subscribe());
        Ok(Response::new(Box::pin(events.map(|event| {
            event.map_err(|Lagged(count)| Status::data_loss(format!("{count} events missed")))
        }))))
    }

    async fn publish(
        &self,
        request: Request<PublishRequest>,
    ) -> Result<Response<PublishResponse>, Status> {
        let PublishRequest {
            published_unix_nanos,
            payload,
        } = request.into_inner();
        // Held while it is sent, so that all hear them in order.
        let mut event_id = self.last_event_id.lock().unwrap();
        *event_id += 1;
        let event = Event {
            event_id: *event_id,
            published_unix_nanos,
            payload,
        };
        let streams = self.sender.send(event).unwrap_or(0) as i64;
        Ok(Response::new(PublishResponse { streams }))
    }
}

/// tonic's usual codec sets 8 KiB aside for each open stream.
pub struct SmallBufferCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for SmallBufferCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

const BUFFER: (usize, usize) = (256, 4096);

impl<T, U> Codec for SmallBufferCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = <ProstCodec<T, U> as Codec>::Decoder;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::new(BUFFER.0, BUFFER.1))
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::raw_decoder(BufferSettings::new(BUFFER.0, BUFFER.1))
    }
}
