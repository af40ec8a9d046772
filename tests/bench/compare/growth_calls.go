package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

// A kind of call whose cost is drawn as a curve.
type growthCase struct {
	label, short string
	call         func(c *growthCaller) error
}

var growthCases = []growthCase{
	{"GetService", "GetService", (*growthCaller).getService},
	{"ListNearbyServices within 10 km in the largest city", "ListNearbyServices", (*growthCaller).listNearby},
	{"BrowseServices, the newest", "BrowseServices", (*growthCaller).browse},
	{"BrowseServices, the newest of a category", "BrowseServices, category", (*growthCaller).browseCategory},
	{"ListMessages, the last of a room with all rows", "ListMessages", (*growthCaller).listLast},
	{"ListMessages, anywhere in that room", "ListMessages, anywhere", (*growthCaller).listAnywhere},
	{"ListMessages, rooms of 100", "ListMessages, small rooms", (*growthCaller).listRoom},
	{"Subscribe, 50 events behind in a log of all rows", "Subscribe", (*growthCaller).catchUpLong},
	{"Subscribe, 50 events behind in logs of 100", "Subscribe, short logs", (*growthCaller).catchUpShort},
}

const (
	placesOf      = 100 // messages in a room and events in a log, where there are many
	pageOfList    = 12
	pageOfRoom    = 20
	eventsBehind  = 50
	readersOfLogs = 64
)

// One of the callers of a load.
type growthCaller struct {
	*growth
	*grown
	client *rig.Client
	random *rand.Rand
}

// From 1 on.
func (c *growthCaller) pick(count int) int {
	return 1 + c.random.IntN(count)
}

func expectCount(err error, found, expected int) error {
	if err == nil && found != expected {
		return fmt.Errorf("%d in place of %d", found, expected)
	}
	return err
}

// Without a token: one that is signed in is counted as a view, which is a write.
func (c *growthCaller) getService() error {
	number := c.pick(c.rows)
	if number%5 == 0 { // what is needed is for those who are signed in
		number--
	}
	id := seedID("5e000000", number)
	answer, err := c.client.Listings.GetService(c.Context(), &pb.GetServiceRequest{ServiceId: id})
	if err == nil && answer.Service.ServiceId != id {
		err = fmt.Errorf("%s in place of %s", answer.Service.ServiceId, id)
	}
	return err
}

// Somewhere in the middle of Cairo.
func (c *growthCaller) listNearby() error {
	answer, err := c.client.Listings.ListNearbyServices(c.Context(), &pb.ListNearbyServicesRequest{
		Point: &pb.LatLng{Latitude: 30.0444 + 0.1*(c.random.Float64()-0.5), Longitude: 31.2357 + 0.1*(c.random.Float64()-0.5)}})
	return expectCount(err, len(answer.GetServices()), pageOfList)
}

func (c *growthCaller) browse() error {
	answer, err := c.client.Listings.BrowseServices(c.seeker(), &pb.BrowseServicesRequest{})
	return expectCount(err, len(answer.GetServices()), pageOfList)
}

func (c *growthCaller) seeker() context.Context {
	return c.people.readers[c.random.IntN(readersOfLogs)].In(c.Context())
}

func (c *growthCaller) browseCategory() error {
	answer, err := c.client.Listings.BrowseServices(c.seeker(), &pb.BrowseServicesRequest{
		Filter: &pb.ServiceFilter{CategoryIds: []string{c.categories[c.random.IntN(len(c.categories))]}}})
	if err == nil && len(answer.Services) == 0 {
		err = fmt.Errorf("nothing")
	}
	return err
}

func (c *growthCaller) listLast() error {
	return c.listMessages(c.people.readers[0], seedID("c8000000", 1), 0)
}

func (c *growthCaller) listAnywhere() error {
	return c.listMessages(c.people.readers[0], seedID("c8000000", 1), pageOfRoom+c.pick(c.rows-pageOfRoom))
}

func (c *growthCaller) listRoom() error {
	number := c.pick(c.rows / placesOf)
	return c.listMessages(c.people.readers[number%readersOfLogs], seedID("c9000000", number), 0)
}

func (c *growthCaller) listMessages(reader *rig.Person, room string, before int) error {
	answer, err := c.client.Chat.ListMessages(reader.In(c.Context()), &pb.ListMessagesRequest{
		RoomId: room, BeforeSeq: int64(before)})
	return expectCount(err, len(answer.GetMessages()), pageOfRoom)
}

func (c *growthCaller) catchUpLong() error {
	return c.catchUp(c.people.longLog, c.rows)
}

func (c *growthCaller) catchUpShort() error {
	owners := c.people.shortLogs[c.database]
	return c.catchUp(owners[c.random.IntN(len(owners))], placesOf)
}

// A client that comes back: the stream is given up once it has what was missed.
func (c *growthCaller) catchUp(owner *rig.Person, last int) error {
	ctx, cancel := context.WithCancel(owner.In(c.Context()))
	defer cancel()
	stream, err := c.client.Events.Subscribe(ctx, &pb.SubscribeRequest{
		ResumeAfter: proto.Int64(int64(last - eventsBehind)), ResumeMark: int32(last - eventsBehind)})
	if err != nil {
		return err
	}
	for events := 0; ; {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		if answer.Event.EventId > 0 {
			events++
		}
		if answer.Event.GetCaughtUp() != nil {
			return expectCount(nil, events, eventsBehind)
		}
	}
}
