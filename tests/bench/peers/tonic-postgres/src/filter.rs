//! The 26 arguments of `service_filter`, of which null ones narrow nothing.
use std::time::SystemTime;

use tokio_postgres::Row;
use tonic::Status;
use uuid::Uuid;

use crate::caller::Caller;
use crate::database::{Database, Parameter, Search};
use crate::names::text;
use crate::prbal::v1::*;

const RADIUS_KM_DEFAULT: f64 = 10.0;

/// What a list shows at all. `courses` and `others` are kinds of offers.
#[derive(Clone, Copy)]
pub struct Scope {
    pub kind: ServiceKind,
    pub courses: bool,
    pub others: bool,
    pub not_own: bool,
}

#[derive(Clone, Copy)]
pub struct Circle {
    pub latitude: f64,
    pub longitude: f64,
    pub metres: f64,
}

impl Circle {
    pub fn around(point: &LatLng, radius_km: f64) -> Self {
        let km = if radius_km > 0.0 {
            radius_km
        } else {
            RADIUS_KM_DEFAULT
        };
        Circle {
            latitude: point.latitude,
            longitude: point.longitude,
            metres: km * 1000.0,
        }
    }
}

#[derive(Default)]
pub struct Arguments<'a> {
    caller: Option<Uuid>,
    status: Option<&'static str>,
    kind: Option<&'static str>,
    is_course: Option<bool>,
    not_own: bool,
    owner: Option<Uuid>,
    words: Option<&'a str>,
    services: Option<Vec<Uuid>>,
    categories: Option<Vec<Uuid>>,
    city: Option<&'a str>,
    regions: Option<&'a [String]>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    metres: Option<f64>,
    currency: Option<&'a str>,
    min_price: Option<i64>,
    max_price: Option<i64>,
    delivery_methods: Option<Vec<&'static str>>,
    occurrence: Option<&'static str>,
    is_remote: Option<bool>,
    min_rating: Option<f64>,
    min_hours: Option<i32>,
    max_hours: Option<i32>,
    created_after: Option<SystemTime>,
    created_before: Option<SystemTime>,
    is_featured: Option<bool>,
}

pub fn bad(field: &str, problem: &str) -> Status {
    Status::invalid_argument(format!("{field}: {problem}"))
}

pub fn uuid(field: &str, text: &str) -> Result<Uuid, Status> {
    Uuid::try_parse(text).map_err(|_| bad(field, "must be a UUID"))
}

impl<'a> Arguments<'a> {
    pub async fn new(
        database: &Database,
        caller: &Caller,
        filter: &'a ServiceFilter,
        scope: Scope,
    ) -> Result<Self, Status> {
        let mut arguments = Self::plain(filter)?;
        arguments.caller = caller.id;
        arguments.kind = text::<ServiceKind>(scope.kind as i32);
        arguments.is_course = course(filter, scope)?;
        arguments.not_own = scope.not_own || filter.exclude_own;
        arguments.take_price(filter)?;
        if let Some(near) = &filter.near {
            arguments.set_circle(Some(Circle::around(near, filter.radius_km)));
        }
        arguments.take_words(database, &filter.search).await?;
        arguments.take_categories(database, filter).await?;
        Ok(arguments)
    }

    /// What reads straight from the message.
    fn plain(f: &'a ServiceFilter) -> Result<Self, Status> {
        let status = if f.status == 0 {
            ServiceStatus::Open as i32
        } else {
            f.status
        };
        let hours = hours_of(f.duration_unit());
        let methods: Vec<_> = f
            .delivery_methods
            .iter()
            .filter_map(|&m| text::<DeliveryMethod>(m))
            .collect();
        Ok(Arguments {
            status: text::<ServiceStatus>(status),
            owner: some_text(&f.owner_id)
                .map(|id| uuid("filter.owner_id", id))
                .transpose()?,
            city: some_text(&f.city),
            regions: Some(&f.region_codes[..]).filter(|codes| !codes.is_empty()),
            delivery_methods: Some(methods).filter(|methods| !methods.is_empty()),
            occurrence: text::<Occurrence>(f.occurrence),
            is_remote: f.is_remote,
            min_rating: Some(f.min_rating).filter(|&rating| rating > 0.0),
            min_hours: Some(f.min_duration * hours).filter(|&hours| hours > 0),
            max_hours: Some(f.max_duration * hours).filter(|&hours| hours > 0),
            created_after: time("filter.created_after", f.created_after)?,
            created_before: time("filter.created_before", f.created_before)?,
            is_featured: f.is_featured,
            ..Default::default()
        })
    }

    fn take_price(&mut self, f: &'a ServiceFilter) -> Result<(), Status> {
        let Some(any) = f.min_price.as_ref().or(f.max_price.as_ref()) else {
            return Ok(());
        };
        if f.max_price
            .as_ref()
            .is_some_and(|max| max.currency != any.currency)
        {
            return Err(bad(
                "filter.max_price.currency",
                "must be that of min_price",
            ));
        }
        self.currency = Some(&any.currency);
        self.min_price = f.min_price.as_ref().map(|price| price.amount_minor);
        self.max_price = f.max_price.as_ref().map(|price| price.amount_minor);
        Ok(())
    }

    /// The words, or, when no service has them, services with similar titles.
    async fn take_words(&mut self, database: &Database, words: &'a str) -> Result<(), Status> {
        self.words = some_text(words);
        if self.words.is_none() {
            return Ok(());
        }
        let similar = database.search(Search::SpeltLike, &[&words]).await?;
        if !similar.is_empty() {
            self.words = None;
            self.services = Some(ids(&similar));
        }
        Ok(())
    }

    /// The categories and their children. None at all is an empty array, which no
    /// service has anything in common with.
    async fn take_categories(
        &mut self,
        database: &Database,
        f: &ServiceFilter,
    ) -> Result<(), Status> {
        if f.category_ids.is_empty() && f.category_slug.is_empty() {
            return Ok(());
        }
        let named: Result<Vec<_>, _> = f
            .category_ids
            .iter()
            .map(|id| uuid("filter.category_ids", id))
            .collect();
        let named = Some(named?).filter(|ids| !ids.is_empty());
        let slug = some_text(&f.category_slug);
        let family = database
            .search(Search::CategoryFamily, &[&named, &slug])
            .await?;
        self.categories = Some(ids(&family));
        Ok(())
    }

    pub fn set_circle(&mut self, circle: Option<Circle>) {
        self.latitude = circle.map(|circle| circle.latitude);
        self.longitude = circle.map(|circle| circle.longitude);
        self.metres = circle.map(|circle| circle.metres);
    }

    pub fn circle(&self) -> Option<Circle> {
        let (latitude, longitude, metres) = (self.latitude?, self.longitude?, self.metres?);
        Some(Circle {
            latitude,
            longitude,
            metres,
        })
    }

    /// $1 to $26, the circle apart from it: `services_nearest` has it elsewhere.
    pub fn parameters(&self, with_circle: bool) -> Vec<Parameter<'_>> {
        const NONE: Parameter = &None::<f64>;
        let mut all: Vec<Parameter<'_>> = Vec::with_capacity(32);
        all.extend_from_slice(&self.before_circle());
        for value in [&self.latitude, &self.longitude, &self.metres] {
            all.push(if with_circle { value } else { NONE });
        }
        all.extend_from_slice(&self.after_circle());
        all
    }

    fn before_circle(&self) -> [Parameter<'_>; 11] {
        [
            &self.caller,
            &self.status,
            &self.kind,
            &self.is_course,
            &self.not_own,
            &self.owner,
            &self.words,
            &self.services,
            &self.categories,
            &self.city,
            &self.regions,
        ]
    }

    fn after_circle(&self) -> [Parameter<'_>; 12] {
        [
            &self.currency,
            &self.min_price,
            &self.max_price,
            &self.delivery_methods,
            &self.occurrence,
            &self.is_remote,
            &self.min_rating,
            &self.min_hours,
            &self.max_hours,
            &self.created_after,
            &self.created_before,
            &self.is_featured,
        ]
    }
}

fn course(f: &ServiceFilter, scope: Scope) -> Result<Option<bool>, Status> {
    if f.is_course
        .is_some_and(|wanted| !(if wanted { scope.courses } else { scope.others }))
    {
        return Err(bad("filter.is_course", "contradicts the feed"));
    }
    Ok(if scope.courses != scope.others {
        Some(scope.courses)
    } else {
        f.is_course
    })
}

fn hours_of(unit: DurationUnit) -> i32 {
    match unit {
        DurationUnit::Days => 24,
        DurationUnit::Weeks => 7 * 24,
        DurationUnit::Months => 30 * 24,
        _ => 1,
    }
}

fn some_text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn time(field: &str, time: Option<prost_types::Timestamp>) -> Result<Option<SystemTime>, Status> {
    let time = time.map(SystemTime::try_from).transpose();
    time.map_err(|_| bad(field, "is no point in time"))
}

pub fn ids(rows: &[Row]) -> Vec<Uuid> {
    rows.iter().map(|row| row.get(0)).collect()
}
