package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// What writes have in common: the links, and who is told.
type store struct {
	pool  *pgxpool.Pool
	hints *hints
}

// A transaction in as few round trips as its statements allow: what is queued
// goes with the next flush, "begin" with the first one and "commit" with the
// last.
type unit struct {
	ctx     context.Context
	store   *store
	conn    *pgxpool.Conn
	batch   *pgx.Batch
	attempt *attempt
	isNew   bool // no twin has claimed the idempotency-key
	events  events
}

func (s *store) begin(ctx context.Context) (*unit, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	u := &unit{ctx: ctx, store: s, conn: conn, batch: &pgx.Batch{}, attempt: attemptOf(ctx), isNew: true}
	u.queue("begin")
	if u.attempt != nil {
		u.attempt.claim(u)
	}
	return u, nil
}

func (u *unit) queue(sql string, args ...any) *pgx.QueuedQuery {
	return u.batch.Queue(sql, args...)
}

// Queues a statement whose single row goes to scan; none leaves *found false.
func (u *unit) queueRow(found *bool, scan func(row pgx.Row) error, sql string, args ...any) {
	u.queue(sql, args...).QueryRow(func(row pgx.Row) error {
		err := scan(row)
		*found = err == nil
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
}

func (u *unit) queueCount(count *int64, sql string, args ...any) {
	u.queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		*count = tag.RowsAffected()
		return nil
	})
}

func (u *unit) flush() error {
	batch := u.batch
	u.batch = &pgx.Batch{}
	if err := u.conn.SendBatch(u.ctx, batch).Close(); err != nil {
		return databaseError(err)
	}
	if !u.isNew {
		return errElsewhere
	}
	return nil
}

// Commits with the events and, if the call has an idempotency-key, its answer.
func (u *unit) commit(response proto.Message) error {
	if u.attempt != nil {
		if err := u.attempt.keep(u, response); err != nil {
			return err
		}
	}
	u.events.write(u)
	u.queue("commit")
	if err := u.flush(); err != nil {
		return err
	}
	if u.attempt != nil {
		u.attempt.isKept = true
	}
	u.store.hints.add(u.events.users)
	return nil
}

// Gives the link back; what was not committed is rolled back.
func (u *unit) end() {
	if u.conn == nil {
		return
	}
	if u.conn.Conn().PgConn().TxStatus() != 'I' {
		// The call may be over, the link is still good.
		_, _ = u.conn.Exec(context.WithoutCancel(u.ctx), "rollback")
	}
	u.conn.Release()
	u.conn = nil
}

// What the constraints mean that a caller can run into.
var constraintErrors = map[string]struct {
	code                   codes.Code
	reason, field, message string
}{
	"bid_one_live_per_provider": {codes.AlreadyExists, "BID_EXISTS", "service_id",
		"You already have a live bid on this service; update or withdraw it."},
	"bid_not_on_own_service": {codes.PermissionDenied, "OWN_SERVICE", "service_id",
		"You cannot bid on your own service."},
	"booking_one_per_bid": {codes.AlreadyExists, "BOOKING_EXISTS", "bid_id",
		"This bid already has a booking."},
	slotIsFree: {codes.Aborted, "SLOT_TAKEN", "start_time",
		"The provider is already booked at that time; choose another."},
}

func databaseError(err error) error {
	var failed *pgconn.PgError
	if !errors.As(err, &failed) {
		return err
	}
	if known, ok := constraintErrors[failed.ConstraintName]; ok {
		return &constraintError{failed.ConstraintName, withDetails(known.code, known.message,
			violation(known.field, known.message), &errdetails.ErrorInfo{Reason: known.reason, Domain: "prbal"})}
	}
	return err
}

// Carries which constraint it was to who can say more of it.
type constraintError struct {
	constraint string
	error
}

func (e *constraintError) GRPCStatus() *status.Status { return status.Convert(e.error) }

func isConflict(err error) bool {
	var failed *pgconn.PgError
	return errors.As(err, &failed) && (failed.Code == "40001" || failed.Code == "40P01")
}
