package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
)

const (
	retriesMax = 3
	pauseMin   = 5 * time.Millisecond // doubling, while a twin is at work
	pauseMax   = 200 * time.Millisecond
	patience   = 3 * time.Second
)

var errElsewhere = failReason(codes.Aborted, "REQUEST_IN_FLIGHT",
	"the same request is being worked on; ask again for its answer")

// The methods that are marked, with a new response for an answer that was kept.
var idempotentMethods = map[string]func() proto.Message{
	pb.BidService_CreateBid_FullMethodName:    func() proto.Message { return &pb.CreateBidResponse{} },
	pb.BidService_AcceptBid_FullMethodName:    func() proto.Message { return &pb.AcceptBidResponse{} },
	pb.ChatService_SendMessage_FullMethodName: func() proto.Message { return &pb.SendMessageResponse{} },
}

// A call with an idempotency-key.
type attempt struct {
	caller, method, key string
	hash                [sha256.Size]byte // of the request
	isKept              bool
}

type attemptKey struct{}

func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

const replyFind = `
select request_hash, reply
  from idempotent_reply
 where user_id = $1
   and method = $2
   and key = $3`

// The first statement of a transaction. Not new: a twin has committed, or is at
// work and holds the lock $5.
const replyClaim = `
with turn as materialized (
  select pg_try_advisory_xact_lock($5) as is_mine
),
claimed as (
  insert into idempotent_reply (user_id, method, key, request_hash)
  select $1, $2, $3, $4
    from turn
   where is_mine
  on conflict (user_id, method, key) do nothing
  returning key
)
select exists (select from claimed)`

const replyKeep = `
update idempotent_reply
   set reply = $4
 where user_id = $1
   and method = $2
   and key = $3`

func (a *attempt) claim(u *unit) {
	name := sha256.Sum256([]byte(a.caller + " " + a.method + " " + a.key))
	lock := int64(binary.LittleEndian.Uint64(name[:8]))
	u.queue(replyClaim, a.caller, a.method, a.key, a.hash[:], lock).QueryRow(func(row pgx.Row) error {
		return row.Scan(&u.isNew)
	})
}

func (a *attempt) keep(u *unit, response proto.Message) error {
	bytes, err := proto.Marshal(response)
	u.queue(replyKeep, a.caller, a.method, a.key, bytes)
	return err
}

// The answer that a twin got, nil when there is none.
func (a *attempt) find(ctx context.Context, s *store) (proto.Message, error) {
	var hash, reply []byte
	err := s.pool.QueryRow(ctx, replyFind, a.caller, a.method, a.key).Scan(&hash, &reply)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if string(hash) != string(a.hash[:]) {
		return nil, failReason(codes.InvalidArgument, "IDEMPOTENCY_KEY_REUSED",
			"this idempotency-key was sent with another request before; make a new one for each")
	}
	response := idempotentMethods[a.method]()
	if err := proto.Unmarshal(reply, response); err != nil {
		return nil, err
	}
	return response, grpc.SetHeader(ctx, metadata.Pairs("idempotency-replayed", "true"))
}

// Runs the handler; what it wrote is kept with its answer, even when it wrote
// nothing.
func (a *attempt) run(ctx context.Context, s *store, request any, handler grpc.UnaryHandler) (any, error) {
	response, err := withRetries(ctx, request, handler)
	if err != nil || a.isKept {
		return response, err
	}
	u, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer u.end()
	return response, u.commit(response.(proto.Message))
}

func (a *attempt) findOrRun(ctx context.Context, s *store, request any, handler grpc.UnaryHandler) (any, error) {
	waited, pause := time.Duration(0), pauseMin
	for {
		reply, err := a.find(ctx, s)
		if reply != nil || err != nil {
			return reply, err
		}
		response, err := a.run(ctx, s, request, handler)
		if !errors.Is(err, errElsewhere) || waited >= patience || ctx.Err() != nil {
			return response, err
		}
		time.Sleep(pause)
		waited += pause
		pause = min(2*pause, pauseMax)
	}
}

// Two transactions that met are worth another try.
func withRetries(ctx context.Context, request any, handler grpc.UnaryHandler) (any, error) {
	response, err := handler(ctx, request)
	for i := 1; i < retriesMax && isConflict(err); i++ {
		response, err = handler(ctx, request)
	}
	return response, err
}

func (s *store) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if idempotentMethods[info.FullMethod] == nil {
		return handler(ctx, request)
	}
	keys := metadata.ValueFromIncomingContext(ctx, "idempotency-key")
	if len(keys) == 0 {
		return withRetries(ctx, request, handler)
	}
	if len(keys) > 1 || len(keys[0]) < 1 || len(keys[0]) > 255 {
		return nil, failReason(codes.InvalidArgument, "IDEMPOTENCY_KEY_INVALID",
			"idempotency-key is sent once, with 1 to 255 visible ASCII characters")
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(request.(proto.Message))
	if err != nil {
		return nil, err
	}
	a := &attempt{caller: callerOf(ctx).id, method: info.FullMethod, key: keys[0],
		hash: sha256.Sum256(append([]byte(info.FullMethod+"\x00"), bytes...))}
	return a.findOrRun(context.WithValue(ctx, attemptKey{}, a), s, request, handler)
}
