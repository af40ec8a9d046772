package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	viewsDelay    = time.Second
	viewsBatchMax = 512
)

// That $2[i] saw $1[i] today, each pair once. The services are locked in one
// order, so that two writers cannot wait for each other.
const viewsRecord = `
with target as (
  select service_id
    from service
   where service_id = any($1::uuid[])
   order by service_id
     for no key update
), fresh as (
  insert into service_view (viewed_on, service_id, viewer_id)
  select (now() at time zone 'utc')::date, service_id, seen.viewer_id
    from unnest($1::uuid[], $2::uuid[]) as seen (service_id, viewer_id)
    join target using (service_id)
  on conflict do nothing
  returning service_id
)
update service s
   set views_count = views_count + counted.views
  from (select service_id, count(*) as views
          from fresh
         group by service_id) counted
 where s.service_id = counted.service_id`

const viewsForget = `
delete from service_view
 where (viewed_on, service_id, viewer_id) in
       (select viewed_on, service_id, viewer_id
          from service_view
         where viewed_on < (now() at time zone 'utc')::date - 1
         order by viewed_on
         limit 5000)`

// Who looked at what, written a second later in one statement. Views are worth
// no retry: what cannot be written is dropped.
type views struct {
	pool *pgxpool.Pool
	seen chan [2]string
}

func newViews(pool *pgxpool.Pool) *views {
	v := &views{pool, make(chan [2]string, viewsBatchMax)}
	go v.run()
	return v
}

func (v *views) add(serviceID, viewerID string) {
	select {
	case v.seen <- [2]string{serviceID, viewerID}:
	default:
	}
}

func (v *views) run() {
	for first := range v.seen {
		time.Sleep(viewsDelay)
		services, viewers := []string{first[0]}, []string{first[1]}
		for range len(v.seen) {
			next := <-v.seen
			services = append(services, next[0])
			viewers = append(viewers, next[1])
		}
		batch := &pgx.Batch{}
		batch.Queue(viewsRecord, services, viewers)
		batch.Queue(viewsForget)
		_ = v.pool.SendBatch(context.Background(), batch).Close()
	}
}
