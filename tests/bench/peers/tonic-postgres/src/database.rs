//! Connections that all calls share: tokio-postgres sends what comes while an
//! answer is out, and PostgreSQL answers in order.
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};
use tonic::Status;

use crate::serving::Failure;
use crate::sql::Statements;

const CONNECTIONS: usize = 4; // of each kind

// Short statements, none of which is worth to be compiled.
const SETTINGS: &str = "-c TimeZone=UTC -c jit=off -c statement_timeout=5000";
// Lists switch conditions off by null arguments, which a generic plan cannot see.
const REPLAN: &str = " -c plan_cache_mode=force_custom_plan";

pub type Parameter<'a> = &'a (dyn ToSql + Sync);

/// Statements by number, in the order of NAMES.
#[derive(Clone, Copy)]
pub enum Query {
    ServiceById,
    ServiceByIds,
    BidLast,
    ViewsRecord,
    ViewsForget,
}

const NAMES: [&str; 5] = [
    "service_by_id",
    "service_by_ids",
    "bid_last_of_provider",
    "views_record",
    "views_forget",
];

#[derive(Clone, Copy)]
pub enum Search {
    Count,
    Newest,
    Oldest,
    Cheapest,
    Dearest,
    Quickest,
    MostUrgent,
    BestRated,
    Nearest,
    SpeltLike,
    CategoryFamily,
}

const SEARCH_NAMES: [&str; 11] = [
    "service_count",
    "services_newest",
    "services_oldest",
    "services_cheapest",
    "services_dearest",
    "services_quickest",
    "services_most_urgent",
    "services_best_rated",
    "services_nearest",
    "services_spelt_like",
    "category_family",
];

struct Connection {
    client: Client,
    statements: Vec<Statement>,
}

/// Connections in turn.
struct Ring {
    connections: Vec<Connection>,
    next: AtomicUsize,
}

pub struct Database {
    plain: Ring,
    searches: Ring,
}

impl Database {
    pub async fn open(url: &str) -> Result<Self, Failure> {
        let texts = Statements::read();
        Ok(Database {
            plain: Ring::open(url, SETTINGS, &texts, &NAMES).await?,
            searches: Ring::open(url, &format!("{SETTINGS}{REPLAN}"), &texts, &SEARCH_NAMES)
                .await?,
        })
    }

    pub async fn rows(&self, query: Query, of: &[Parameter<'_>]) -> Result<Vec<Row>, Status> {
        self.plain.pick().rows(query as usize, of).await
    }

    pub async fn row(&self, query: Query, of: &[Parameter<'_>]) -> Result<Option<Row>, Status> {
        Ok(self.rows(query, of).await?.pop())
    }

    pub async fn search(&self, query: Search, of: &[Parameter<'_>]) -> Result<Vec<Row>, Status> {
        self.searches.pick().rows(query as usize, of).await
    }

    /// Both at once, on one connection.
    pub async fn search_both(
        &self,
        first: (Search, &[Parameter<'_>]),
        second: (Search, &[Parameter<'_>]),
    ) -> Result<(Vec<Row>, Vec<Row>), Status> {
        let connection = self.searches.pick();
        tokio::try_join!(
            connection.rows(first.0 as usize, first.1),
            connection.rows(second.0 as usize, second.1)
        )
    }
}

impl Ring {
    async fn open(
        url: &str,
        settings: &str,
        texts: &Statements,
        names: &[&str],
    ) -> Result<Self, Failure> {
        let mut config: Config = url.parse()?;
        config.options(settings);
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(&config, texts, names).await?);
        }
        Ok(Ring {
            connections,
            next: AtomicUsize::new(0),
        })
    }

    fn pick(&self) -> &Connection {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.connections[next % self.connections.len()]
    }
}

impl Connection {
    async fn open(config: &Config, texts: &Statements, names: &[&str]) -> Result<Self, Failure> {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        let mut statements = Vec::new();
        for name in names {
            statements.push(client.prepare(&texts.text(name)).await?);
        }
        Ok(Connection { client, statements })
    }

    async fn rows(&self, query: usize, of: &[Parameter<'_>]) -> Result<Vec<Row>, Status> {
        let answer = self.client.query(&self.statements[query], of).await;
        answer.map_err(|error| Status::unavailable(error.to_string()))
    }
}
