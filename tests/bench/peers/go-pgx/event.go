package main

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "prbal.test/api/prbal/v1"
)

// Writes a transaction's events in one go. Counters are bumped in user-id order,
// so that writers queue and never wait for each other in a circle. A user's
// events keep the order in which they are given, and each is chained to the one
// before it by that one's mark.
const eventWrite = `
with marked as materialized (
  select user_id, topic, payload, place,
         1 + floor(random() * 2147483646)::integer as mark
    from unnest($1::uuid[], $2::text[], $3::bytea[])
         with ordinality as g(user_id, topic, payload, place)
),
given as (
  select user_id, topic, payload, mark,
         row_number() over by_user as nth,
         lag(mark) over by_user as after_mark,
         count(*) over (partition by user_id) as many
    from marked
  window by_user as (partition by user_id order by place)
),
bumped as (
  insert into user_event_cursor as c (user_id, last_seq, last_mark)
  select user_id, many, mark
    from given
   where nth = many
   order by user_id
  on conflict (user_id) do update
     set last_seq = c.last_seq + excluded.last_seq,
         after_mark = c.last_mark,
         last_mark = excluded.last_mark
  returning user_id, last_seq, after_mark
)
insert into user_event (user_id, seq, topic, payload, mark, after_mark)
select g.user_id, b.last_seq - g.many + g.nth, g.topic, g.payload, g.mark,
       coalesce(g.after_mark, b.after_mark)
  from given g
  join bumped b using (user_id)
 order by g.user_id, g.nth`

// The events of one transaction, in their order.
type events struct {
	users    []string
	topics   []string
	payloads [][]byte
}

func (e *events) add(topic string, event *pb.Event, userIDs ...string) {
	event.CreateTime = timestamppb.Now()
	payload, err := proto.Marshal(event)
	if err != nil {
		panic(err) // texts come from requests and tables that were checked
	}
	for _, userID := range userIDs {
		e.users = append(e.users, userID)
		e.topics = append(e.topics, topic)
		e.payloads = append(e.payloads, payload)
	}
}

func (e *events) write(u *unit) {
	if len(e.users) > 0 {
		u.queue(eventWrite, e.users, e.topics, e.payloads)
	}
}

// Both parties hear of a bid.
func (e *events) addBid(bid *bidParty, status pb.BidStatus) {
	e.add("BID", &pb.Event{Payload: &pb.Event_BidUpdated{BidUpdated: &pb.BidUpdated{
		BidId: bid.bidID, ServiceId: bid.serviceID, Status: status}}}, bid.seekerID, bid.providerID)
}

// Both parties hear of a booking.
func (e *events) addBooking(b *pb.Booking) {
	e.add("BOOKING", &pb.Event{Payload: &pb.Event_BookingUpdated{BookingUpdated: &pb.BookingUpdated{
		BookingId: b.BookingId, ServiceId: b.ServiceId, Status: b.Status}}}, b.Seeker.UserId, b.Provider.UserId)
}

func (e *events) addRoom(userID string, update *pb.RoomListUpdate) {
	e.add("CHAT", &pb.Event{Payload: &pb.Event_RoomListUpdate{RoomListUpdate: update}}, userID)
}
