//! What a peer is told on its command line, and the runtime and server that follow
//! from it.
use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

// As many as a bench opens on one connection; hyper's own limit is 200.
const STREAMS_PER_CONNECTION: u32 = 100_000;
// Ten thousand clients come within a second.
const BACKLOG: u32 = 4096;

#[derive(Default)]
pub struct Options {
    pub listen: Option<SocketAddr>,
    pub tls: Option<(String, String)>,
    pub threads: usize,
    pub database: Option<String>,
    pub token_key: Option<String>,
}

pub fn options() -> Result<Options, Failure> {
    let mut options = Options {
        threads: 1,
        ..Default::default()
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            "--listen" => options.listen = Some(value()?.parse()?),
            "--tls" => options.tls = Some((value()?, value()?)),
            "--threads" => options.threads = value()?.parse()?,
            "--database" => options.database = Some(value()?),
            "--token-key" => options.token_key = Some(value()?),
            _ => return Err(format!("what is {word}?").into()),
        }
    }
    Ok(options)
}

/// One processor needs no queues between workers, nor wake-ups of them.
pub fn run<F: Future<Output = Result<(), Failure>>>(
    threads: usize,
    main: F,
) -> Result<(), Failure> {
    runtime(threads)?.block_on(main)
}

fn runtime(threads: usize) -> std::io::Result<Runtime> {
    match threads {
        0 | 1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build(),
    }
}

pub fn server(options: &Options) -> Result<Server, Failure> {
    let server = Server::builder().max_concurrent_streams(STREAMS_PER_CONNECTION);
    let Some((certificate, key)) = &options.tls else {
        return Ok(server);
    };
    let identity = Identity::from_pem(std::fs::read(certificate)?, std::fs::read(key)?);
    Ok(server.tls_config(ServerTlsConfig::new().identity(identity))?)
}

/// Listens, and says so.
pub fn incoming(options: &Options) -> Result<TcpIncoming, Failure> {
    let address = options.listen.ok_or("--listen is missing")?;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    println!("ready");
    Ok(TcpIncoming::from(listener).with_nodelay(Some(true)))
}
