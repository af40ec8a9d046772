package rig

import (
	"context"
	"time"
)

const (
	callPatience = 10 * time.Second // a single call
	retryPause   = 50 * time.Millisecond
)

// Once makes one call, with the deadline that a careful client sets.
func Once[T any](ctx context.Context, call func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	return call(ctx)
}

// Until repeats a call while its outcome is unknown, or the server has said that
// it is away for now: a refusal or a success is the last word. The call has to be
// one that can be repeated.
func Until[T any](ctx context.Context, call func(ctx context.Context) (T, error)) (T, error) {
	for {
		answer, err := Once(ctx, call)
		if ctx.Err() != nil || !IsForNow(err) {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, err
		case <-time.After(retryPause):
		}
	}
}
