//! A row of `service_columns` as a Service.
use std::time::SystemTime;

use prost_types::Timestamp;
use serde::Deserialize;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Json};
use uuid::Uuid;

use crate::names::{Named, number};
use crate::prbal::v1::*;

/// The columns, one after the other.
struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Columns<'a> {
    fn take<T: FromSql<'a>>(&mut self) -> T {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    fn name<E: Named>(&mut self) -> i32 {
        number::<E>(self.take())
    }

    fn uuid(&mut self) -> String {
        self.take::<Uuid>().to_string()
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.take::<Option<SystemTime>>().map(Into::into)
    }

    fn uuids(&mut self) -> Vec<String> {
        self.take::<Vec<Uuid>>()
            .iter()
            .map(Uuid::to_string)
            .collect()
    }
}

#[derive(Deserialize)]
struct OptionRow {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    amount_minor: i64,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    duration: String,
}

impl From<OptionRow> for PricingOption {
    fn from(row: OptionRow) -> Self {
        let unit = number::<PricingUnit>(&row.unit);
        let OptionRow {
            name,
            description,
            amount_minor,
            duration,
            ..
        } = row;
        PricingOption {
            name,
            description,
            amount_minor,
            unit,
            duration,
        }
    }
}

fn pricing_options(columns: &mut Columns) -> Vec<PricingOption> {
    let rows = columns.take::<Option<Json<Vec<OptionRow>>>>();
    rows.map_or(Vec::new(), |Json(rows)| {
        rows.into_iter().map(Into::into).collect()
    })
}

fn owner(c: &mut Columns) -> UserSummary {
    UserSummary {
        user_id: c.uuid(),
        full_name: c.take(),
        user_type: c.name::<UserType>(),
        avatar_url: c.take(),
        rating_avg: c.take(),
        total_reviews: c.take(),
    }
}

fn point(c: &mut Columns) -> Option<LatLng> {
    let (latitude, longitude): (Option<f64>, Option<f64>) = (c.take(), c.take());
    Some(LatLng {
        latitude: latitude?,
        longitude: longitude?,
    })
}

pub fn service(row: &Row) -> Service {
    let c = &mut Columns { row, next: 0 };
    Service {
        service_id: c.uuid(),
        owner: Some(owner(c)),
        kind: c.name::<ServiceKind>(),
        is_course: c.take(),
        title: c.take(),
        description: c.take(),
        category_ids: c.uuids(),
        tags: c.take(),
        price: Some(Money {
            amount_minor: c.take(),
            currency: c.take(),
        }),
        pricing_unit: c.name::<PricingUnit>(),
        pricing_options: pricing_options(c),
        price_description: c.take(),
        is_negotiable: c.take(),
        min_hours: c.take(),
        max_hours: c.take(),
        estimated_duration: c.take(),
        duration_unit: c.name::<DurationUnit>(),
        duration_description: c.take(),
        delivery_method: c.name::<DeliveryMethod>(),
        occurrence: c.name::<Occurrence>(),
        is_remote: c.take(),
        location_text: c.take::<Option<String>>().unwrap_or_default(),
        coordinates: point(c),
        region_code: c.take(),
        city: c.take(),
        coverage_area: c.take(),
        required_tools: c.take(),
        tasks_and_responsibilities: c.take(),
        conditions_requirements: c.take(),
        required_skills: c.take(),
        deadline: c.time(),
        status: c.name::<ServiceStatus>(),
        is_active: c.take(),
        is_featured: c.take(),
        moderation_status: c.name::<ModerationStatus>(),
        assigned_to: c
            .take::<Option<Uuid>>()
            .map_or(String::new(), |id| id.to_string()),
        instant_book: c.take(),
        payment_policy: c.name::<PaymentPolicy>(),
        views_count: c.take(),
        bids_count: c.take(),
        bookings_count: c.take(),
        complete_time: c.time(),
        create_time: c.time(),
        update_time: c.time(),
        distance_km: None,
    }
}
