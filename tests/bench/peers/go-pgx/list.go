package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"prbal.test/api/prbal"
	pb "prbal.test/api/prbal/v1"
)

const (
	servicesDefault = 12
	totalMax        = 1000
)

// What a list is sorted by; then by the id, in the same direction.
type order struct {
	key        string
	keyType    string
	descending bool
}

const byDistance = "distance"

var orders = map[string]order{
	"":                   {"s.created_at", "timestamptz", true},
	"-create_time":       {"s.created_at", "timestamptz", true},
	"create_time":        {"s.created_at", "timestamptz", false},
	"price":              {"s.price_minor", "bigint", false},
	"-price":             {"s.price_minor", "bigint", true},
	"estimated_duration": {"coalesce(s.duration_hours, 2147483647)", "bigint", false},
	"deadline":           {"coalesce(s.deadline, '9999-12-31 00:00:00+00')", "timestamptz", false},
	"rating":             {"s.owner_rating", "float8", true},
	byDistance:           {"", "float8", false},
}

// The place of a row in a list, in a page token and back.
func placeText(place any) string {
	switch p := place.(type) {
	case time.Time:
		return strconv.FormatInt(p.UnixMicro(), 10)
	case float64:
		return strconv.FormatFloat(p, 'g', 17, 64)
	}
	return fmt.Sprint(place)
}

func placeOf(text, keyType string) any {
	if keyType == "float8" {
		place, _ := strconv.ParseFloat(text, 64)
		return place
	}
	place, _ := strconv.ParseInt(text, 10, 64)
	if keyType == "timestamptz" {
		return time.UnixMicro(place)
	}
	return place
}

// What the list methods have in common.
type list struct {
	filter *pb.ServiceFilter
	order  string
	scope  scope
	circle *circle
	page   *page
}

type listed struct {
	services []*pb.Service
	next     string
	total    int64
}

// The rows of the page, and one more when there are further ones.
func (l *list) placed(c caller, conditions *statement) *statement {
	if l.order == byDistance {
		return l.nearest(c, conditions)
	}
	by := orders[l.order]
	than, direction := ">", ""
	if by.descending {
		than, direction = "<", " desc"
	}
	conditions.addCircle(l.circle)
	if keys := l.page.keys; keys != nil {
		conditions.add(" and ("+by.key+", s.service_id) "+than+" (?::"+by.keyType+", ?::uuid)",
			placeOf(keys[1], by.keyType), keys[2])
	}
	conditions.add(" order by "+by.key+direction+", s.service_id"+direction+" limit ?", l.page.size+1)
	return selectServices(c, by.key, "service s where ", conditions)
}

// The index gives distances in order, but equal ones in any: the inner query
// takes all that tie for the last place, the outer one breaks the ties. The
// radius stands outside, because nobody can tell the planner how many live in
// it.
func (l *list) nearest(c caller, conditions *statement) *statement {
	longitude := conditions.arg(l.circle.point.Longitude)
	latitude := conditions.arg(l.circle.point.Latitude)
	distance := "s.coordinates <-> st_point(" + longitude + "::float8, " + latitude + "::float8)::geography"
	if keys := l.page.keys; keys != nil {
		conditions.add(" and ("+distance+", s.service_id) > (?::float8, ?::uuid)",
			placeOf(keys[1], "float8"), keys[2])
	}
	limit := conditions.arg(l.page.size + 1)
	conditions.add(" order by " + distance + " fetch first " + limit + " rows with ties) near" +
		" join service s using (service_id)")
	conditions.add(" where near.distance <= ?::float8 order by near.distance, near.service_id", l.circle.metres())
	conditions.add(" limit " + limit)
	return selectServices(c, "near.distance", "(select s.service_id, "+distance+
		" as distance from service s where ", conditions)
}

// The two arguments of serviceColumns come last here, as the count does not have
// them.
func selectServices(c caller, key, from string, tail *statement) *statement {
	id, isAdmin := tail.arg(c.idOrNull()), tail.arg(c.isAdmin())
	s := &statement{args: tail.args}
	s.add("select ")
	strings.NewReplacer("$1", id, "$2", isAdmin).WriteString(&s.text, serviceColumns)
	s.add(", " + key + " from " + from)
	s.add(tail.text.String())
	return s
}

// Up to totalMax; counting on would cost more than anybody gains.
func (l *list) count(conditions *statement) *statement {
	counted := &statement{args: slices.Clone(conditions.args)}
	counted.add("select count(*) from (select from service s where ")
	counted.add(conditions.text.String())
	counted.addCircle(l.circle)
	counted.add(" limit " + strconv.Itoa(totalMax) + ") counted")
	return counted
}

// One round trip: the total, of a first page only, and the page itself.
func (l *list) read(ctx context.Context, server *listingServer) (*listed, error) {
	conditions := &statement{}
	if err := conditions.addFilter(ctx, server.pool, l.filter, l.scope); err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	if l.page.keys == nil {
		count := l.count(conditions)
		batch.Queue(count.text.String(), count.args...)
	}
	rows := l.placed(callerOf(ctx), conditions)
	batch.Queue(rows.text.String(), rows.args...)
	results := server.pool.SendBatch(ctx, batch)
	defer results.Close()
	return l.take(results)
}

func (l *list) take(results pgx.BatchResults) (*listed, error) {
	found := &listed{}
	if l.page.keys != nil {
		found.total, _ = strconv.ParseInt(l.page.keys[0], 10, 64)
	} else if err := results.QueryRow().Scan(&found.total); err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var place, last any
	for rows.Next() {
		service, err := scanService(rows, &place)
		if err != nil {
			return nil, err
		}
		if len(found.services) == l.page.size {
			previous := found.services[len(found.services)-1]
			found.next = l.page.next(strconv.FormatInt(found.total, 10), placeText(last), previous.ServiceId)
			break
		}
		last = place
		if l.order == byDistance {
			kilometres := place.(float64) / 1000
			service.DistanceKm = &kilometres
		}
		found.services = append(found.services, service)
	}
	rows.Close()
	return found, rows.Err()
}

// The feed that a caller has, and `view` as far as they may choose.
func pickView(c caller, view pb.BrowseView) (pb.BrowseView, error) {
	seeks, provides := c.is(prbal.Role_ROLE_SEEKER), c.is(prbal.Role_ROLE_PROVIDER)
	if seeks && provides {
		return view, nil
	}
	own := pb.BrowseView_BROWSE_VIEW_COURSES
	if seeks {
		own = pb.BrowseView_BROWSE_VIEW_OFFERED
	} else if provides {
		own = pb.BrowseView_BROWSE_VIEW_NEEDED
	}
	if view != 0 && view != own {
		return 0, status.Error(codes.PermissionDenied, "your account does not have this view")
	}
	return own, nil
}

func viewScope(view pb.BrowseView) scope {
	yes, no := true, false
	switch view {
	case pb.BrowseView_BROWSE_VIEW_OFFERED:
		return scope{kind: pb.ServiceKind_SERVICE_KIND_OFFERED, isCourse: &no, notOwn: true}
	case pb.BrowseView_BROWSE_VIEW_NEEDED:
		return scope{kind: pb.ServiceKind_SERVICE_KIND_NEEDED, notOwn: true}
	case pb.BrowseView_BROWSE_VIEW_COURSES:
		return scope{kind: pb.ServiceKind_SERVICE_KIND_OFFERED, isCourse: &yes, notOwn: true}
	}
	return scope{notOwn: true}
}

func (l *listingServer) BrowseServices(ctx context.Context, request *pb.BrowseServicesRequest) (*pb.BrowseServicesResponse, error) {
	c := callerOf(ctx)
	view, err := pickView(c, request.View)
	if err != nil {
		return nil, err
	}
	found := list{filter: request.Filter, order: request.OrderBy, scope: viewScope(view)}
	if _, known := orders[request.OrderBy]; !known {
		return nil, failField("order_by", "is not an order")
	}
	if near := request.Filter.GetNear(); near != nil {
		found.circle = &circle{near, request.Filter.RadiusKm}
	} else if request.OrderBy == byDistance {
		return nil, failField("filter.near", "is required for the order by distance")
	}
	filters := &pb.BrowseServicesRequest{View: request.View, Filter: request.Filter, OrderBy: request.OrderBy}
	result, err := l.answer(ctx, &found, filters, request.PageSize, request.PageToken)
	if err != nil {
		return nil, err
	}
	return &pb.BrowseServicesResponse{
		Services: result.services, NextPageToken: result.next, TotalSize: result.total}, nil
}

func (l *listingServer) ListNearbyServices(ctx context.Context, request *pb.ListNearbyServicesRequest) (*pb.ListNearbyServicesResponse, error) {
	kind := request.Kind
	if kind == 0 {
		kind = pb.ServiceKind_SERVICE_KIND_OFFERED
	}
	if request.Point == nil {
		return nil, failField("point", "value is required")
	}
	if err := checkMayList(callerOf(ctx), kind); err != nil {
		return nil, err
	}
	found := list{
		filter: request.Filter, order: byDistance, scope: scope{kind: kind},
		circle: &circle{request.Point, request.RadiusKm},
	}
	filters := &pb.ListNearbyServicesRequest{
		Point: request.Point, RadiusKm: request.RadiusKm, Kind: request.Kind, Filter: request.Filter}
	result, err := l.answer(ctx, &found, filters, request.PageSize, request.PageToken)
	if err != nil {
		return nil, err
	}
	return &pb.ListNearbyServicesResponse{
		Services: result.services, NextPageToken: result.next, TotalSize: result.total}, nil
}

func (l *listingServer) answer(ctx context.Context, of *list, filters proto.Message, size int32, token string) (*listed, error) {
	page, err := l.pages.open(callerOf(ctx), filters, size, servicesDefault, token)
	if err != nil {
		return nil, err
	}
	of.page = page
	return of.read(ctx, l)
}
