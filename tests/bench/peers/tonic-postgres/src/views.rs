//! Who looked at what, written soon after, many in one statement.
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use uuid::Uuid;

use crate::database::{Database, Query};

const DELAY: Duration = Duration::from_secs(1);
const BATCH_MAX: usize = 512;

type View = (Uuid, Uuid); // service, viewer

pub struct Views(Sender<View>);

impl Views {
    pub fn new(database: Arc<Database>) -> Self {
        let (sender, receiver) = channel(BATCH_MAX);
        tokio::spawn(write(database, receiver));
        Views(sender)
    }

    /// A view is worth no wait: what finds no place is dropped.
    pub fn add(&self, service_id: Uuid, viewer_id: Uuid) {
        let _ = self.0.try_send((service_id, viewer_id));
    }
}

async fn write(database: Arc<Database>, mut views: Receiver<View>) {
    while let Some(first) = views.recv().await {
        tokio::time::sleep(DELAY).await;
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(view) = views.try_recv()
        {
            batch.push(view);
        }
        let (services, viewers): (Vec<Uuid>, Vec<Uuid>) = batch.into_iter().unzip();
        let _ = database
            .rows(Query::ViewsRecord, &[&services, &viewers])
            .await;
        let _ = database.rows(Query::ViewsForget, &[]).await;
    }
}
