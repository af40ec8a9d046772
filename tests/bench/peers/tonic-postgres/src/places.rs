//! Orders of lists: what a page is read by, and where its last row stands.
use std::time::{Duration, SystemTime};

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::database::Search;

#[derive(Clone, Copy, PartialEq)]
pub enum Key {
    Time,
    Number,
    Integer,
    Real,
}

#[derive(Clone, Copy)]
pub struct Order {
    pub search: Search,
    pub key: Key,
}

pub const NEAREST: Order = Order {
    search: Search::Nearest,
    key: Key::Real,
};

pub fn order(name: &str) -> Option<Order> {
    let (search, key) = match name {
        "" | "-create_time" => (Search::Newest, Key::Time),
        "create_time" => (Search::Oldest, Key::Time),
        "price" => (Search::Cheapest, Key::Number),
        "-price" => (Search::Dearest, Key::Number),
        "estimated_duration" => (Search::Quickest, Key::Integer),
        "deadline" => (Search::MostUrgent, Key::Time),
        "rating" => (Search::BestRated, Key::Real),
        "distance" => return Some(NEAREST),
        _ => return None,
    };
    Some(Order { search, key })
}

impl Key {
    /// The key of a row of places, as the text of a page token.
    pub fn of(self, row: &Row) -> String {
        match self {
            Key::Time => microseconds(row.get(1)).to_string(),
            Key::Number => row.get::<_, i64>(1).to_string(),
            Key::Integer => row.get::<_, i32>(1).to_string(),
            Key::Real => format!("{:.16e}", row.get::<_, f64>(1)),
        }
    }

    /// The argument for it; null on the first page.
    pub fn argument(self, text: Option<&str>) -> Box<dyn ToSql + Sync + Send> {
        match self {
            Key::Time => Box::new(text.and_then(|text| text.parse().ok()).map(moment)),
            Key::Number => Box::new(text.and_then(|text| text.parse::<i64>().ok())),
            Key::Integer => Box::new(text.and_then(|text| text.parse::<i32>().ok())),
            Key::Real => Box::new(text.and_then(|text| text.parse::<f64>().ok())),
        }
    }
}

fn microseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as i64)
}

fn moment(microseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(microseconds)
}
