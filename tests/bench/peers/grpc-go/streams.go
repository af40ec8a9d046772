package main

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"prbal.test/api/streams"
)

// How many events a stream may be behind before Publish waits for it.
const queueEvents = 16

// A subscriber's queue. The handler of its stream takes from it.
type subscriber struct {
	stream grpc.ServerStreamingServer[streams.Event]
	events chan *grpc.PreparedMsg
}

// Who listens, and the number of the last event.
type hub struct {
	streams.UnimplementedStreamsServer
	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
	lastEvent   int64
}

func newHub() *hub {
	return &hub{subscribers: make(map[*subscriber]struct{})}
}

func (h *hub) join(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscribers[s] = struct{}{}
}

func (h *hub) leave(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subscribers, s)
}

func (h *hub) Subscribe(_ *streams.SubscribeRequest, stream grpc.ServerStreamingServer[streams.Event]) error {
	s := &subscriber{stream, make(chan *grpc.PreparedMsg, queueEvents)}
	h.join(s)
	defer h.leave(s)
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	for {
		select {
		case event := <-s.events:
			if err := stream.SendMsg(event); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// Encodes the event once. All streams have the same codec and no compressor, so
// what one of them would send is what all do.
func (h *hub) prepare(request *streams.PublishRequest) (*grpc.PreparedMsg, error) {
	h.lastEvent++
	event := &streams.Event{
		EventId:            h.lastEvent,
		PublishedUnixNanos: request.PublishedUnixNanos,
		Payload:            request.Payload,
	}
	for s := range h.subscribers {
		prepared := &grpc.PreparedMsg{}
		return prepared, prepared.Encode(s.stream, event)
	}
	return nil, nil
}

// Holds the lock throughout, so that events come in one order to everybody.
func (h *hub) Publish(_ context.Context, request *streams.PublishRequest) (*streams.PublishResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	event, err := h.prepare(request)
	if err != nil {
		return nil, err
	}
	for s := range h.subscribers {
		select {
		case s.events <- event:
		case <-s.stream.Context().Done():
		}
	}
	return &streams.PublishResponse{Streams: int64(len(h.subscribers))}, nil
}
