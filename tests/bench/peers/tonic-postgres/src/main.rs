//! What a marketplace is read for, by tonic and tokio-postgres.
mod caller;
mod database;
mod filter;
mod listing;
mod names;
mod page;
mod places;
mod service_row;
#[path = "../../tonic/src/serving.rs"]
mod serving;
mod sql;
mod views;

use database::Database;
use listing::{Listing, ListingServiceServer};
use serving::Failure;

// Cheaper than glibc's for many small strings.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod prbal {
    #![allow(clippy::all, dead_code)]
    tonic::include_proto!("prbal");
    pub mod v1 {
        tonic::include_proto!("prbal.v1");
    }
}

fn main() -> Result<(), Failure> {
    let options = serving::options()?;
    let url = options.database.clone().ok_or("--database is missing")?;
    let key = options.token_key.clone().ok_or("--token-key is missing")?;
    serving::run(options.threads, async {
        let listing = Listing::new(Database::open(&url).await?, &std::fs::read(key)?)?;
        serving::server(&options)?
            .add_service(ListingServiceServer::new(listing))
            .serve_with_incoming(serving::incoming(&options)?)
            .await?;
        Ok(())
    })
}
