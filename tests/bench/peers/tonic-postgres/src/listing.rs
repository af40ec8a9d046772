//! The service's three methods for readers.
use std::sync::Arc;

use tokio_postgres::Row;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::caller::{Caller, Verifier};
use crate::database::{Database, Parameter, Query, Search};
use crate::filter::{Arguments, Circle, Scope, bad, ids, uuid};
use crate::page::{self, Place, Tokens};
use crate::places::{self, Order};
use crate::prbal::Role;
use crate::prbal::v1::listing_service_server::ListingService;
pub use crate::prbal::v1::listing_service_server::ListingServiceServer;
use crate::prbal::v1::*;
use crate::service_row::service;
use crate::serving::Failure;
use crate::views::Views;

const TOTAL_MAX: i64 = 1000;

pub struct Listing {
    database: Arc<Database>,
    verifier: Verifier,
    tokens: Tokens,
    views: Views,
}

/// What the lists have in common.
struct List {
    caller: Caller,
    filter: ServiceFilter,
    order: Order,
    scope: Scope,
    circle: Option<Circle>,
    page_size: i32,
    page_token: String,
    binding: Vec<u8>,
}

#[derive(Default)]
struct Listed {
    services: Vec<Service>,
    next_page_token: String,
    total: i64,
}

impl Listing {
    pub fn new(database: Database, public_pem: &[u8]) -> Result<Self, Failure> {
        let database = Arc::new(database);
        Ok(Listing {
            verifier: Verifier::new(public_pem)?,
            tokens: Tokens::new(),
            views: Views::new(database.clone()),
            database,
        })
    }

    async fn own_bid(&self, caller: &Caller, service: &Service) -> Result<String, Status> {
        if service.kind() != ServiceKind::Needed || !caller.is(Role::Provider) {
            return Ok(String::new());
        }
        let id = uuid("service_id", &service.service_id)?;
        let bid = self
            .database
            .row(Query::BidLast, &[&id, &caller.id])
            .await?;
        Ok(bid.map_or(String::new(), |row| row.get::<_, Uuid>(0).to_string()))
    }

    async fn read_list(&self, list: List) -> Result<Listed, Status> {
        let size = page::size(list.page_size)?;
        let place = self.tokens.read(&list.binding, &list.page_token)?;
        let (mut places, total) = self.find_places(&list, size, place.as_ref()).await?;
        let mut next_page_token = String::new();
        if places.len() > size {
            places.truncate(size);
            let last = &places[size - 1];
            let (key, service_id) = (list.order.key.of(last), last.get(0));
            next_page_token = self.tokens.write(
                &list.binding,
                &Place {
                    total,
                    key,
                    service_id,
                },
            );
        }
        let mut services = self.read_services(&list.caller, &ids(&places)).await?;
        if matches!(list.order.search, Search::Nearest) {
            tell_distances(&mut services, &places);
        }
        Ok(Listed {
            services,
            next_page_token,
            total,
        })
    }

    /// One place more than the page has, and the total, which tokens carry along.
    async fn find_places(
        &self,
        list: &List,
        size: usize,
        place: Option<&Place>,
    ) -> Result<(Vec<Row>, i64), Status> {
        let mut arguments =
            Arguments::new(&self.database, &list.caller, &list.filter, list.scope).await?;
        if list.circle.is_some() {
            arguments.set_circle(list.circle);
        }
        let circle = arguments.circle();
        let is_nearest = matches!(list.order.search, Search::Nearest);

        let key = list
            .order
            .key
            .argument(place.map(|place| place.key.as_str()));
        let id = place.map(|place| place.service_id);
        let limit = size as i64 + 1;
        let mut parameters = arguments.parameters(!is_nearest);
        parameters.extend_from_slice(&[&*key as Parameter, &id, &limit]);
        if is_nearest {
            let circle = circle
                .as_ref()
                .ok_or_else(|| bad("filter.near", "is required for the order by distance"))?;
            parameters.extend_from_slice(&[&circle.latitude, &circle.longitude, &circle.metres]);
        }
        let find = (list.order.search, parameters.as_slice());
        if let Some(place) = place {
            return Ok((self.database.search(find.0, find.1).await?, place.total));
        }
        let mut counted = arguments.parameters(true);
        counted.push(&TOTAL_MAX);
        let (total, places) = self
            .database
            .search_both((Search::Count, &counted), find)
            .await?;
        Ok((places, total[0].get(0)))
    }

    async fn read_services(&self, caller: &Caller, ids: &[Uuid]) -> Result<Vec<Service>, Status> {
        let of: [Parameter; 3] = [&caller.id, &caller.is_admin(), &ids];
        let rows = self.database.rows(Query::ServiceByIds, &of).await?;
        Ok(rows.iter().map(service).collect())
    }
}

/// A place whose service has just become invisible has no match.
fn tell_distances(services: &mut [Service], places: &[Row]) {
    let mut places = places.iter();
    for service in services {
        let id = Uuid::try_parse(&service.service_id).ok();
        let place = places.find(|place| Some(place.get::<_, Uuid>(0)) == id);
        service.distance_km = place.map(|place| place.get::<_, f64>(1) / 1000.0);
    }
}

/// Needed work is shown to those who could do it.
fn check_may_list(caller: &Caller, kind: ServiceKind) -> Result<(), Status> {
    if kind == ServiceKind::Offered || caller.is(Role::Provider) {
        return Ok(());
    }
    if caller.id.is_none() {
        return Err(Status::unauthenticated("sign in to see what is needed"));
    }
    Err(Status::permission_denied(
        "only providers list what is needed; your own is in ListMyServices",
    ))
}

/// The feed that a caller has, and `view` as far as they may choose.
fn pick_view(caller: &Caller, view: BrowseView) -> Result<BrowseView, Status> {
    let own = match (caller.is(Role::Seeker), caller.is(Role::Provider)) {
        (true, true) => return Ok(view),
        (true, false) => BrowseView::Offered,
        (false, true) => BrowseView::Needed,
        (false, false) => BrowseView::Courses,
    };
    if view != BrowseView::Unspecified && view != own {
        return Err(Status::permission_denied(
            "your account does not have this view",
        ));
    }
    Ok(own)
}

fn view_scope(view: BrowseView) -> Scope {
    let (kind, courses, others) = match view {
        BrowseView::Offered => (ServiceKind::Offered, false, true),
        BrowseView::Needed => (ServiceKind::Needed, true, true),
        BrowseView::Courses => (ServiceKind::Offered, true, false),
        BrowseView::Unspecified => (ServiceKind::Unspecified, true, true),
    };
    Scope {
        kind,
        courses,
        others,
        not_own: true,
    }
}

#[tonic::async_trait]
impl ListingService for Listing {
    async fn get_service(
        &self,
        request: Request<GetServiceRequest>,
    ) -> Result<Response<GetServiceResponse>, Status> {
        let caller = self.verifier.caller(request.metadata())?;
        let id = uuid("service_id", &request.get_ref().service_id)?;
        let of: [Parameter; 3] = [&caller.id, &caller.is_admin(), &id];
        let row = self.database.row(Query::ServiceById, &of).await?;
        let service = service(&row.ok_or_else(|| Status::not_found("service not found"))?);

        let mut own_bid_id = String::new();
        if let Some(viewer) = caller.id
            && service
                .owner
                .as_ref()
                .is_some_and(|owner| owner.user_id != viewer.to_string())
        {
            self.views.add(id, viewer);
            own_bid_id = self.own_bid(&caller, &service).await?;
        }
        Ok(Response::new(GetServiceResponse {
            service: Some(service),
            own_bid_id,
        }))
    }

    async fn browse_services(
        &self,
        request: Request<BrowseServicesRequest>,
    ) -> Result<Response<BrowseServicesResponse>, Status> {
        let caller = self.verifier.signed_in(request.metadata())?;
        let mut request = request.into_inner();
        let (page_size, page_token) = (request.page_size, std::mem::take(&mut request.page_token));
        (request.page_size, request.read_mask) = (0, None);
        let binding = page::binding("BrowseServices", caller.id, &request);
        let view = pick_view(&caller, request.view())?;
        let filter = request.filter.unwrap_or_default();
        if !matches!(
            filter.status(),
            ServiceStatus::Unspecified | ServiceStatus::Open
        ) {
            return Err(bad(
                "filter.status",
                "must be OPEN: a feed has nothing else",
            ));
        }
        let listed = self
            .read_list(List {
                caller,
                filter,
                order: places::order(&request.order_by)
                    .ok_or_else(|| bad("order_by", "is not one of the orders"))?,
                scope: view_scope(view),
                circle: None,
                page_size,
                page_token,
                binding,
            })
            .await?;
        let Listed {
            services,
            next_page_token,
            total,
        } = listed;
        let total_size = total;
        Ok(Response::new(BrowseServicesResponse {
            services,
            next_page_token,
            total_size,
        }))
    }

    async fn list_nearby_services(
        &self,
        request: Request<ListNearbyServicesRequest>,
    ) -> Result<Response<ListNearbyServicesResponse>, Status> {
        let caller = self.verifier.caller(request.metadata())?;
        let mut request = request.into_inner();
        let (page_size, page_token) = (request.page_size, std::mem::take(&mut request.page_token));
        (request.page_size, request.read_mask) = (0, None);
        let binding = page::binding("ListNearbyServices", caller.id, &request);
        let kind = match request.kind() {
            ServiceKind::Unspecified => ServiceKind::Offered,
            kind => kind,
        };
        check_may_list(&caller, kind)?;
        let point = request.point.ok_or_else(|| bad("point", "is required"))?;
        let circle = Circle::around(&point, request.radius_km);
        let filter = request.filter.unwrap_or_default();
        check_circle(&point, request.radius_km, &filter)?;
        let listed = self
            .read_list(List {
                caller,
                filter,
                order: places::NEAREST,
                scope: Scope {
                    kind,
                    courses: true,
                    others: true,
                    not_own: false,
                },
                circle: Some(circle),
                page_size,
                page_token,
                binding,
            })
            .await?;
        let Listed {
            services,
            next_page_token,
            total,
        } = listed;
        let total_size = total;
        Ok(Response::new(ListNearbyServicesResponse {
            services,
            next_page_token,
            total_size,
        }))
    }
}

fn check_circle(point: &LatLng, radius_km: f64, filter: &ServiceFilter) -> Result<(), Status> {
    if !(-90.0..=90.0).contains(&point.latitude) {
        return Err(bad("point.latitude", "must be between -90 and 90"));
    }
    if !(-180.0..=180.0).contains(&point.longitude) {
        return Err(bad("point.longitude", "must be between -180 and 180"));
    }
    if !(0.0..=200.0).contains(&radius_km) {
        return Err(bad("radius_km", "must be between 0 and 200"));
    }
    if filter.near.is_some() {
        return Err(bad("filter.near", "must be unset beside a point"));
    }
    Ok(())
}
