//! Sends back what it got.
use tonic::{Request, Response, Status};

pub use stubs::test_service_server::TestServiceServer;
use stubs::{EchoRequest, EchoResponse, test_service_server::TestService};

mod stubs {
    #![allow(clippy::all)]
    tonic::include_proto!("prbal.test");
}

pub struct Echo;

#[tonic::async_trait]
impl TestService for Echo {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let EchoRequest {
            text,
            number,
            payload,
        } = request.into_inner();
        Ok(Response::new(EchoResponse {
            text,
            number,
            payload,
        }))
    }
}
