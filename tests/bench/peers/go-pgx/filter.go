package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	pb "prbal.test/api/prbal/v1"
)

const radiusKmDefault = 10

// A statement that grows by the conditions that are wanted, so that each shape
// of a filter is prepared once and planned for just those conditions.
type statement struct {
	text strings.Builder
	args []any
}

// Adds text in which each ? stands for the next of args.
func (s *statement) add(text string, args ...any) {
	for _, arg := range args {
		before, after, _ := strings.Cut(text, "?")
		s.text.WriteString(before)
		s.text.WriteString(s.arg(arg))
		text = after
	}
	s.text.WriteString(text)
}

func (s *statement) arg(value any) string {
	s.args = append(s.args, value)
	return "$" + strconv.Itoa(len(s.args))
}

// A circle on earth.
type circle struct {
	point    *pb.LatLng
	radiusKm float64
}

func (c *circle) metres() float64 {
	if c.radiusKm > 0 {
		return c.radiusKm * 1000
	}
	return radiusKmDefault * 1000
}

// Within which services a list looks, whatever its filter says.
type scope struct {
	kind     pb.ServiceKind // unspecified: both
	isCourse *bool
	notOwn   bool
}

const spelledLike = `
select near.service_id
  from (select s.service_id, s.title
          from service s
         where s.is_listed
           and s.status = 'OPEN'
           and $1 <% s.title
           and not exists (select
                             from service hit
                            where hit.is_listed
                              and hit.search
                                  @@ websearch_to_tsquery('simple', $1))
         limit 1000) near
 order by word_similarity($1, near.title) desc, near.service_id
 limit 200`

// The categories $1 and the one with slug $2, each with its children.
const categoryFamily = `
select c.category_id
  from category c
 where c.is_active
   and (c.category_id = any($1::uuid[])
        or c.parent_id = any($1)
        or c.slug = $2
        or c.parent_id = (select category_id from category where slug = $2))
 limit 1000`

func readIDs(ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) ([]string, error) {
	rows, err := pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := []string{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// States and kinds are written out: partial indexes are chosen by them.
func (s *statement) addScope(c caller, f *pb.ServiceFilter, in scope) {
	status := pb.ServiceStatus_SERVICE_STATUS_OPEN
	if f.GetStatus() != 0 {
		status = f.Status
	}
	s.add("s.is_listed and s.status = '" + serviceStatuses.names[int32(status)] + "'")
	if in.kind != 0 {
		s.add(" and s.kind = '" + serviceKinds.names[int32(in.kind)] + "'")
	}
	isCourse := in.isCourse
	if isCourse == nil && f != nil {
		isCourse = f.IsCourse
	}
	if isCourse != nil {
		s.add(" and s.is_course = " + strconv.FormatBool(*isCourse))
	}
	if (in.notOwn || f.GetExcludeOwn()) && c.id != "" {
		s.add(" and s.owner_id <> ?::uuid", c.id)
	}
}

func hoursOf(unit pb.DurationUnit) int32 {
	switch unit {
	case pb.DurationUnit_DURATION_UNIT_DAYS:
		return 24
	case pb.DurationUnit_DURATION_UNIT_WEEKS:
		return 7 * 24
	case pb.DurationUnit_DURATION_UNIT_MONTHS:
		return 30 * 24
	}
	return 1
}

// What reads straight from the message.
func (s *statement) addPlain(f *pb.ServiceFilter) {
	if f.OwnerId != "" {
		s.add(" and s.owner_id = ?::uuid", f.OwnerId)
	}
	if f.City != "" {
		s.add(" and lower(s.city) = lower(?)", f.City)
	}
	if len(f.RegionCodes) > 0 {
		s.add(" and s.region_code = any(?::text[])", f.RegionCodes)
	}
	if len(f.DeliveryMethods) > 0 {
		methods := make([]string, len(f.DeliveryMethods))
		for i, method := range f.DeliveryMethods {
			methods[i] = deliveryMethods.names[int32(method)]
		}
		s.add(" and s.delivery_method = any(?::text[])", methods)
	}
	if f.Occurrence != 0 {
		s.add(" and s.occurrence = ?", occurrences.names[int32(f.Occurrence)])
	}
	if f.IsRemote != nil {
		s.add(" and (s.delivery_method <> 'ONSITE') = ?", *f.IsRemote)
	}
	if f.IsFeatured != nil {
		s.add(" and s.is_featured = ?", *f.IsFeatured)
	}
}

func (s *statement) addRanges(f *pb.ServiceFilter) {
	if f.MinPrice != nil {
		s.add(" and s.price_currency = ? and s.price_minor >= ?", f.MinPrice.Currency, f.MinPrice.AmountMinor)
	}
	if f.MaxPrice != nil {
		s.add(" and s.price_currency = ? and s.price_minor <= ?", f.MaxPrice.Currency, f.MaxPrice.AmountMinor)
	}
	if f.MinRating > 0 {
		s.add(" and s.owner_rating >= ?", f.MinRating)
	}
	if f.MinDuration > 0 {
		s.add(" and s.duration_hours >= ?", f.MinDuration*hoursOf(f.DurationUnit))
	}
	if f.MaxDuration > 0 {
		s.add(" and s.duration_hours <= ?", f.MaxDuration*hoursOf(f.DurationUnit))
	}
	if f.CreatedAfter != nil {
		s.add(" and s.created_at >= ?", f.CreatedAfter.AsTime())
	}
	if f.CreatedBefore != nil {
		s.add(" and s.created_at < ?", f.CreatedBefore.AsTime())
	}
}

// Words and categories, which have to be looked up.
func (s *statement) addLookups(ctx context.Context, pool *pgxpool.Pool, f *pb.ServiceFilter) error {
	if f.Search != "" {
		similar, err := readIDs(ctx, pool, spelledLike, f.Search)
		if err != nil {
			return err
		}
		if len(similar) > 0 {
			s.add(" and s.service_id = any(?::uuid[])", similar)
		} else {
			s.add(" and s.search @@ websearch_to_tsquery('simple', ?)", f.Search)
		}
	}
	if len(f.CategoryIds) > 0 || f.CategorySlug != "" {
		family, err := readIDs(ctx, pool, categoryFamily, f.CategoryIds, textOrNull(f.CategorySlug))
		if err != nil {
			return err
		}
		s.add(" and s.category_ids && ?::uuid[]", family)
	}
	return nil
}

// All conditions but the circle, which the order by distance has elsewhere.
func (s *statement) addFilter(ctx context.Context, pool *pgxpool.Pool, f *pb.ServiceFilter, in scope) error {
	s.addScope(callerOf(ctx), f, in)
	if f == nil {
		return nil
	}
	s.addPlain(f)
	s.addRanges(f)
	return s.addLookups(ctx, pool, f)
}

func (s *statement) addCircle(c *circle) {
	if c != nil {
		s.add(" and st_dwithin(s.coordinates, st_point(?::float8, ?)::geography, ?::float8, false)",
			c.point.Longitude, c.point.Latitude, c.metres())
	}
}
