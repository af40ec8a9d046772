package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"prbal.test/api/prbal"
	pb "prbal.test/api/prbal/v1"
)

type listingServer struct {
	pb.UnimplementedListingServiceServer
	pool  *pgxpool.Pool
	views *views
	pages *pages
}

// $1 is the caller, null when nobody is signed in; $2 whether they are an
// administrator. In the order of scanService.
const serviceColumns = `
       s.service_id, s.owner_id, s.owner_name, s.owner_type, s.owner_avatar,
       nullif(s.owner_rating, 0), s.owner_reviews, s.kind, s.is_course, s.title,
       s.description, s.category_ids, s.tags, s.price_minor, s.price_currency,
       s.pricing_unit, nullif(s.pricing_options, '[]'), s.price_description,
       s.is_negotiable, s.min_hours, s.max_hours, s.estimated_duration,
       s.duration_unit, s.duration_description, s.delivery_method, s.occurrence,
       case when $1::uuid is not null then s.location_text end,
       case when $1 is not null then st_y(s.coordinates::geometry) end,
       case when $1 is not null then st_x(s.coordinates::geometry) end,
       s.region_code, s.city, s.coverage_area, s.required_tools,
       s.tasks_and_responsibilities, s.conditions_requirements,
       s.required_skills, s.deadline, s.status, s.is_active, s.is_featured,
       s.moderation_status,
       case when $2::boolean or $1 in (s.owner_id, s.assigned_to)
            then s.assigned_to end,
       s.instant_book, s.payment_policy, s.views_count, s.bids_count,
       s.bookings_count, s.completed_at, s.created_at, s.updated_at`

// The rows' other columns, if any, come behind and go to `more`.
func scanService(row pgx.Row, more ...any) (*pb.Service, error) {
	s := &pb.Service{Owner: &pb.UserSummary{}, Price: &pb.Money{}}
	var latitude, longitude *float64
	var options []byte
	targets := append(make([]any, 0, 52),
		&s.ServiceId, &s.Owner.UserId, &s.Owner.FullName, toEnum(&s.Owner.UserType, &userTypes), &s.Owner.AvatarUrl,
		&s.Owner.RatingAvg, &s.Owner.TotalReviews, toEnum(&s.Kind, &serviceKinds), &s.IsCourse, &s.Title,
		&s.Description, &s.CategoryIds, &s.Tags, &s.Price.AmountMinor, &s.Price.Currency,
		toEnum(&s.PricingUnit, &pricingUnits), &options, &s.PriceDescription,
		&s.IsNegotiable, &s.MinHours, &s.MaxHours, &s.EstimatedDuration,
		toEnum(&s.DurationUnit, &durationUnits), &s.DurationDescription,
		toEnum(&s.DeliveryMethod, &deliveryMethods), toEnum(&s.Occurrence, &occurrences),
		toText(&s.LocationText), &latitude, &longitude,
		&s.RegionCode, &s.City, &s.CoverageArea, &s.RequiredTools,
		&s.TasksAndResponsibilities, &s.ConditionsRequirements,
		&s.RequiredSkills, timeTarget{&s.Deadline}, toEnum(&s.Status, &serviceStatuses), &s.IsActive, &s.IsFeatured,
		toEnum(&s.ModerationStatus, &moderationStatuses),
		toText(&s.AssignedTo), &s.InstantBook, toEnum(&s.PaymentPolicy, &paymentPolicies), &s.ViewsCount, &s.BidsCount,
		&s.BookingsCount, timeTarget{&s.CompleteTime}, timeTarget{&s.CreateTime}, timeTarget{&s.UpdateTime})
	if err := row.Scan(append(targets, more...)...); err != nil {
		return nil, err
	}
	s.IsRemote = s.DeliveryMethod != pb.DeliveryMethod_DELIVERY_METHOD_ONSITE
	if latitude != nil && longitude != nil {
		s.Coordinates = &pb.LatLng{Latitude: *latitude, Longitude: *longitude}
	}
	return s, readPricingOptions(options, s)
}

func readPricingOptions(text []byte, s *pb.Service) error {
	if text == nil {
		return nil
	}
	var stored []struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		AmountMinor int64  `json:"amount_minor"`
		Unit        string `json:"unit"`
		Duration    string `json:"duration"`
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		return fmt.Errorf("pricing_options: %w", err)
	}
	for _, o := range stored {
		s.PricingOptions = append(s.PricingOptions, &pb.PricingOption{
			Name:        o.Name,
			Description: o.Description,
			AmountMinor: o.AmountMinor,
			Unit:        pb.PricingUnit(pricingUnits.numbers[o.Unit]),
			Duration:    o.Duration,
		})
	}
	return nil
}

const serviceByID = `
select ` + serviceColumns + `
  from service s
 where s.service_id = $3
   and (s.owner_id = $1
        or $2
        or (s.is_listed and (s.kind = 'OFFERED' or $1 is not null)))`

// What the provider ($2) last bid on a service, in whatever state it is.
const lastBidOfProvider = `
select bid_id
  from bid
 where service_id = $1
   and provider_id = $2
 order by created_at desc, bid_id desc
 limit 1`

func checkUUID(field, text string) error {
	if len(text) == 36 && uuid.Validate(text) == nil {
		return nil
	}
	return failField(field, "must be a UUID")
}

func (l *listingServer) GetService(ctx context.Context, request *pb.GetServiceRequest) (*pb.GetServiceResponse, error) {
	if err := checkUUID("service_id", request.ServiceId); err != nil {
		return nil, err
	}
	c := callerOf(ctx)
	service, err := scanService(l.pool.QueryRow(ctx, serviceByID, c.idOrNull(), c.isAdmin(), request.ServiceId))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, notFound("service")
	}
	if err != nil {
		return nil, err
	}
	response := &pb.GetServiceResponse{Service: service}
	if c.id == "" || c.id == service.Owner.UserId {
		return response, nil
	}
	l.views.add(service.ServiceId, c.id)
	if service.Kind != pb.ServiceKind_SERVICE_KIND_NEEDED || !c.is(prbal.Role_ROLE_PROVIDER) {
		return response, nil
	}
	err = l.pool.QueryRow(ctx, lastBidOfProvider, service.ServiceId, c.id).Scan(&response.OwnBidId)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	return response, nil
}

// Needed work is shown to those who could do it.
func checkMayList(c caller, kind pb.ServiceKind) error {
	if kind == pb.ServiceKind_SERVICE_KIND_OFFERED || c.is(prbal.Role_ROLE_PROVIDER) {
		return nil
	}
	if c.id == "" {
		return failReason(codes.Unauthenticated, "TOKEN_MISSING", "sign in to see what is needed")
	}
	return status.Error(codes.PermissionDenied,
		"only providers list what is needed; your own is in ListMyServices")
}
