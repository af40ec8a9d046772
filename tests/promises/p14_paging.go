package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P14", "paging shows every row once", tryPaging)
}

// Rows of which many have the same keys. The statements take the numbers from $1
// to $2 and answer ids; the keys follow from the number. {owner} is who reads the
// lists, {other1} to {other3} are those with whom he deals.
type rowKind struct {
	insert, remove string
}

const serviceColumns = `
insert into service (owner_id, kind, title, description, price_minor, price_currency, category_ids,
                     coordinates, estimated_duration, deadline, created_at)
select %s, 'OFFERED', 'Service ' || i, 'One of many.', 1000 + i %% 3, 'USD', array[gen_random_uuid()],
       st_point(31 + (i %% 3) * 0.01, 30)::geography, i %% 3,
       case when i %% 3 > 0 then timestamptz '2099-01-01' + (i %% 2) * interval '1 day' end,
       timestamptz '2026-01-01' + (i %% 4) * interval '1 microsecond'
  from generate_series($1::int, $2::int) i
returning service_id`

var rowKinds = map[string]rowKind{
	"service": {fmt.Sprintf(serviceColumns, "(array['{other1}', '{other2}', '{other3}']::uuid[])[1 + i % 3]"),
		"delete from service where service_id = $1"},
	"own service": {fmt.Sprintf(serviceColumns, "'{owner}'"),
		"delete from service where service_id = $1"},
	"bid received": {`
insert into bid (service_id, seeker_id, provider_id, amount_minor, currency, status, created_at)
select '{service}', '{owner}', (array['{other1}', '{other2}', '{other3}']::uuid[])[1 + i % 3], 1000 + i % 3, 'USD',
       'WITHDRAWN', timestamptz '2026-01-01' + (i % 4) * interval '1 microsecond'
  from generate_series($1::int, $2::int) i
returning bid_id`, "delete from bid where bid_id = $1"},
	"bid made": {`
insert into bid (service_id, seeker_id, provider_id, amount_minor, currency, status, created_at)
select '{service}', '{other1}', '{owner}', 1000 + i % 3, 'USD',
       'WITHDRAWN', timestamptz '2026-01-01' + (i % 4) * interval '1 microsecond'
  from generate_series($1::int, $2::int) i
returning bid_id`, "delete from bid where bid_id = $1"},
	"booking": {`
insert into booking (seeker_id, provider_id, origin, status, total_minor, platform_fee_minor, currency,
                     payment_policy, start_at, end_at, slot, created_at)
select case when i % 2 = 0 then '{owner}' else '{other1}' end::uuid,
       case when i % 2 = 0 then '{other1}' else '{owner}' end::uuid,
       'DIRECT', 'PENDING', 1000, 0, 'USD', 'OFFLINE', t.start_at, t.start_at + interval '1 hour',
       case when t.start_at is not null then tstzrange(t.start_at, t.start_at + interval '1 hour') end,
       timestamptz '2026-01-01' + (i % 4) * interval '1 microsecond'
  from generate_series($1::int, $2::int) i
 cross join lateral (select case when i % 3 > 0 then timestamptz '2099-01-01' + (i % 3) * interval '1 day' end
                            as start_at) t
returning booking_id`, "delete from booking where booking_id = $1"},
	"timeline event": {`
insert into booking_timeline_event (booking_id, type, created_at)
select '{booking}', 'NOTE', timestamptz '2026-01-01' + (i % 4) * interval '1 microsecond'
  from generate_series($1::int, $2::int) i
returning timeline_event_id`, "delete from booking_timeline_event where timeline_event_id = $1"},
	"room": {`
with room as (
  insert into chat_room (kind, name, active_at)
  select 'GROUP', 'Room ' || i, timestamptz '2026-01-01' + (i % 4) * interval '1 microsecond'
    from generate_series($1::int, $2::int) i
  returning room_id
)
insert into room_member (room_id, user_id)
select room_id, '{owner}' from room
returning room_id`, "delete from chat_room where room_id = $1"},
	"notification": {`
insert into notification (recipient_id, type, title, message, created_at)
select '{owner}', 'SYSTEM', 'News', 'Some.', timestamptz '2026-01-01' + (i % 4) * interval '1 microsecond'
  from generate_series($1::int, $2::int) i
returning notification_id`, "delete from notification where notification_id = $1"},
	"job": {`
insert into job (kind, run_at, attempts_max, arguments)
select 'of_another_version', timestamptz '2099-01-01', 1, ''
  from generate_series($1::int, $2::int)
returning job_id`, "delete from job where job_id = $1"},
}

// What is listed: every RPC whose request has a page_token has a row here.
type pagedList struct {
	method  string
	request string // without order, size and token
	other   string // one that asks for something else
	rows    string // of rowKinds
}

const near = `"filter":{"near":{"latitude":30,"longitude":31},"radiusKm":200}`

var pagedLists = []pagedList{
	{"AdminService/ListJobs", `{}`, `{"statuses":["JOB_STATUS_QUEUED"]}`, "job"},
	{"BidService/ListBids", `{"role":"BID_ROLE_SEEKER"}`, `{"role":"BID_ROLE_PROVIDER"}`, "bid received"},
	{"BidService/ListBids", `{"role":"BID_ROLE_PROVIDER","statuses":["BID_STATUS_WITHDRAWN"]}`,
		`{"role":"BID_ROLE_PROVIDER"}`, "bid made"},
	{"BookingService/ListBookings", `{}`, `{"role":"BOOKING_ROLE_SEEKER"}`, "booking"},
	{"BookingService/ListTimelineEvents", `{"bookingId":"{booking}"}`, `{"bookingId":"{other booking}"}`, "timeline event"},
	{"ChatService/ListRooms", `{}`, `{"kind":"CHAT_ROOM_KIND_GROUP"}`, "room"},
	{"ListingService/BrowseServices", `{"view":"BROWSE_VIEW_OFFERED",` + near + `}`, `{` + near + `}`, "service"},
	{"ListingService/ListMyServices", `{}`, `{"status":"SERVICE_STATUS_OPEN"}`, "own service"},
	{"ListingService/ListNearbyServices", `{"point":{"latitude":30,"longitude":31},"radiusKm":200}`,
		`{"point":{"latitude":30,"longitude":31},"radiusKm":199}`, "service"},
	{"ListingService/ListServices", `{"kind":"SERVICE_KIND_OFFERED",` + near + `}`,
		`{"kind":"SERVICE_KIND_OFFERED","filter":{"near":{"latitude":30,"longitude":31},"radiusKm":198}}`, "service"},
	{"NotificationService/ListNotifications", `{}`, `{"isRead":false}`, "notification"},
}

type pagingWorld struct {
	*rig.Trial
	cluster       *rig.Cluster
	clients       []*rig.Client // one for each server
	methods       map[string]rig.Method
	owner, reader *rig.Person                 // reader: one who has nothing
	admins        map[*rig.Person]*rig.Person // instead of these two
	names         *strings.Replacer
	stable        map[string][]string // ids by kind of row

	pages, churned, refused atomic.Int64
}

func tryPaging(t *rig.Trial) {
	w := &pagingWorld{Trial: t, cluster: t.Cluster(rig.Setup{Servers: 2, Build: rig.Release}), methods: map[string]rig.Method{}}
	for _, server := range w.cluster.Servers {
		w.clients = append(w.clients, w.cluster.Client(server.Address))
	}
	w.findMethods()
	w.fill(t.Size(40, 120))

	for round := range t.Size(1, 4) {
		stop := make(chan struct{})
		var churners sync.WaitGroup
		for kind := range rowKinds {
			churners.Add(1)
			go func() { defer churners.Done(); w.churn(kind, stop) }()
		}
		w.readAll(round)
		close(stop)
		churners.Wait()
	}
	w.readMessages(t.Size(90, 600))
	t.Tried("pages", int(w.pages.Load()))
	t.Tried("rows that came and went", int(w.churned.Load()))
	t.Measured("every row that was there throughout once in each list, %d bad tokens refused", w.refused.Load())
}

func (w *pagingWorld) findMethods() {
	known := map[string]bool{}
	for _, list := range pagedLists {
		known[list.method] = true
	}
	for _, method := range rig.Methods() {
		w.methods[method.Name] = method
		w.Expect(!method.Has("page_token") || known[method.Name], "%s has pages and no row", method.Name)
	}
}

// ---- Rows.

func (w *pagingWorld) fill(count int) {
	people := w.cluster.People(5, rig.Both)
	w.owner, w.reader = people[0], people[4]
	admins := w.cluster.People(2, rig.Admin)
	w.admins = map[*rig.Person]*rig.Person{w.owner: admins[0], w.reader: admins[1]}
	w.names = strings.NewReplacer("{owner}", people[0].ID, "{other1}", people[1].ID,
		"{other2}", people[2].ID, "{other3}", people[3].ID)
	for i, rating := range []string{"4.5", "3.25"} {
		w.cluster.Database.Exec("update profile set rating_avg = $1::text::numeric where user_id = $2", rating, people[1+i].ID)
	}
	w.stable = map[string][]string{}
	w.insertStable("service", count)
	w.insertStable("booking", count)
	w.names = strings.NewReplacer("{owner}", people[0].ID, "{other1}", people[1].ID,
		"{other2}", people[2].ID, "{other3}", people[3].ID, "{service}", w.stable["service"][0],
		"{booking}", w.stable["booking"][0], "{other booking}", w.stable["booking"][1])
	for kind := range rowKinds {
		if w.stable[kind] == nil {
			w.insertStable(kind, count)
		}
	}
}

func (w *pagingWorld) insertStable(kind string, count int) {
	ids, err := w.insert(kind, 1, count)
	w.Must(err, "rows of kind %s", kind)
	w.stable[kind] = ids
}

func (w *pagingWorld) insert(kind string, first, last int) ([]string, error) {
	rows, err := w.cluster.Database.SQL().Query(w.Context(), w.names.Replace(rowKinds[kind].insert), first, last)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id [16]byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]))
	}
	return ids, rows.Err()
}

// Lets rows come and go between those that stay.
func (w *pagingWorld) churn(kind string, stop chan struct{}) {
	random := w.Stream(1000 + len(kind))
	var passing []string
	for {
		select {
		case <-stop:
			return
		case <-time.After(3 * time.Millisecond):
		}
		if len(passing) < 10 {
			number := random.IntN(1000)
			ids, err := w.insert(kind, number, number)
			w.Expect(err == nil, "a new %s: %v", kind, err)
			passing = append(passing, ids...)
		} else {
			at := random.IntN(len(passing))
			_, err := w.cluster.Database.SQL().Exec(w.Context(), rowKinds[kind].remove, passing[at])
			w.Expect(err == nil, "an old %s: %v", kind, err)
			passing = append(passing[:at], passing[at+1:]...)
		}
		w.churned.Add(1)
		if w.Context().Err() != nil {
			return
		}
	}
}

// ---- Lists.

// A list in one of its orders.
type reading struct {
	pagedList
	order string
}

func (w *pagingWorld) readAll(round int) {
	var readings []reading
	for _, list := range pagedLists {
		orders := w.methods[list.method].Choices("order_by")
		if len(orders) == 0 {
			orders = []string{""}
		}
		for _, order := range orders {
			readings = append(readings, reading{list, order})
		}
	}
	w.Together(6, func(worker int) {
		random := w.Stream(100*round + worker)
		for i := worker; i < len(readings); i += 6 {
			for _, size := range []int{1, 2 + random.IntN(8), 10 + random.IntN(91)} {
				w.readList(readings[i], size, random)
			}
			w.tryTokens(readings[i], random)
		}
	})
}

// One page: its ids, and the token of the next one.
func (w *pagingWorld) page(who *rig.Person, r reading, request string, size int, token string, random *rand.Rand) ([]string, string, error) {
	method := w.methods[r.method]
	message := method.Request(w.names.Replace(request))
	rig.Set(message, "page_size", int32(size))
	rig.Set(message, "page_token", token)
	if r.order != "" {
		rig.Set(message, "order_by", r.order)
	}
	if strings.HasPrefix(r.method, "AdminService/") {
		who = w.admins[who]
	}
	client := w.clients[random.IntN(len(w.clients))]
	answer, _ := rig.Until(w.Context(), func(ctx context.Context) (rig.Answer, error) {
		answer := client.Call(who.In(ctx), method, message)
		return answer, answer.Err
	})
	if answer.Err != nil {
		return nil, "", answer.Err
	}
	w.pages.Add(1)
	var ids []string
	for _, row := range rig.Rows(answer.Message) {
		ids = append(ids, rig.ID(row))
	}
	return ids, rig.Text(answer.Message.ProtoReflect(), "next_page_token"), nil
}

func (w *pagingWorld) readList(r reading, size int, random *rand.Rand) {
	seen := map[string]int{}
	token := ""
	for range 100 * len(w.stable[r.rows]) {
		ids, next, err := w.page(w.owner, r, r.request, size, token, random)
		if err != nil {
			w.Broken("%s by %q: %v", r.method, r.order, err)
			return
		}
		w.Expect(len(ids) <= size, "%s by %q: %d rows, not %d", r.method, r.order, len(ids), size)
		for _, id := range ids {
			seen[id]++
		}
		if token = next; token == "" {
			break
		}
	}
	w.Expect(token == "", "%s by %q in pages of %d has no end", r.method, r.order, size)
	for id, times := range seen {
		w.Expect(times == 1, "%s by %q in pages of %d shows %s %d times", r.method, r.order, size, id, times)
	}
	missing := 0
	for _, id := range w.stable[r.rows] {
		if seen[id] == 0 {
			missing++
		}
	}
	w.Expect(missing == 0, "%s by %q in pages of %d left out %d of %d rows", r.method, r.order, size, missing, len(w.stable[r.rows]))
}

// ---- Tokens.

func (w *pagingWorld) tryTokens(r reading, random *rand.Rand) {
	_, token, err := w.page(w.owner, r, r.request, 2, "", random)
	if err != nil || token == "" {
		w.Broken("%s by %q has no second page: %v", r.method, r.order, err)
		return
	}
	for range w.Size(4, 20) {
		at := random.IntN(len(token))
		w.refuse(w.owner, r, r.request, token[:at]+other(token[at], random)+token[at+1:], "forged", random)
		w.refuse(w.owner, r, r.request, token[:1+random.IntN(len(token)-1)], "cut", random)
	}
	w.refuse(w.owner, r, r.request, token+"A", "longer", random)
	w.refuse(w.owner, r, r.other, token, "another question's", random)
	w.refuse(w.reader, r, r.request, token, "somebody else's", random)
	orders := w.methods[r.method].Choices("order_by")
	if len(orders) > 0 {
		if order := orders[random.IntN(len(orders))]; order != r.order {
			w.refuse(w.owner, reading{r.pagedList, order}, r.request, token, "another order's", random)
		}
	}
	if list := pagedLists[random.IntN(len(pagedLists))]; list.method != r.method {
		w.refuse(w.owner, reading{list, ""}, list.request, token, "another list's", random)
	}
}

func other(character byte, random *rand.Rand) string {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for {
		if c := characters[random.IntN(len(characters))]; c != character {
			return string(c)
		}
	}
}

// A foreign object is looked for before its list's token is looked at, or after:
// either way the token is good for nothing.
func (w *pagingWorld) refuse(who *rig.Person, r reading, request, token, what string, random *rand.Rand) {
	_, _, err := w.page(who, r, request, 2, token, random)
	if status.Code(err) != codes.InvalidArgument || rig.Reason(err) != "PAGE_TOKEN_INVALID" {
		w.Broken("%s by %q with %s token: %v", r.method, r.order, what, err)
		return
	}
	w.refused.Add(1)
}

// ---- Messages: their numbers are the pages' keys.

// Two people write while both ways through the room are read.
func (w *pagingWorld) readMessages(count int) {
	people := w.cluster.People(2, rig.Both)
	room, err := w.clients[0].Chat.OpenDirectRoom(people[0].In(w.Context()), &pb.OpenDirectRoomRequest{TargetUserId: people[1].ID})
	w.Must(err, "a room")
	write := func(from, to int) {
		for i := from; i < to; i++ {
			request := &pb.SendMessageRequest{RoomId: room.Room.RoomId, Content: fmt.Sprint("Message ", i), ClientMessageId: rig.NewID()}
			_, err := rig.Until(w.Context(), func(ctx context.Context) (*pb.SendMessageResponse, error) {
				return w.clients[i%len(w.clients)].Chat.SendMessage(people[i%2].In(ctx), request)
			})
			w.Expect(err == nil, "a message: %v", err)
		}
	}
	write(0, count)
	w.Together(3, func(number int) {
		random := w.Stream(5000 + number)
		switch number {
		case 0:
			write(count, 2*count)
		case 1:
			for _, size := range []int{1, 7, 100} {
				w.readBack(people[0], room.Room.RoomId, size, count, random)
			}
		case 2:
			for _, size := range []int{1, 7, 100} {
				w.readOn(people[0], room.Room.RoomId, size, count, random)
			}
		}
	})
}

func (w *pagingWorld) messages(who *rig.Person, request *pb.ListMessagesRequest, random *rand.Rand) *pb.ListMessagesResponse {
	client := w.clients[random.IntN(len(w.clients))]
	answer, err := rig.Until(w.Context(), func(ctx context.Context) (*pb.ListMessagesResponse, error) {
		return client.Chat.ListMessages(who.In(ctx), request)
	})
	w.Expect(err == nil, "messages: %v", err)
	w.pages.Add(1)
	return answer
}

// Newest first: from wherever it begins, down to 1 without a gap.
func (w *pagingWorld) readBack(who *rig.Person, room string, size, count int, random *rand.Rand) {
	var before int64
	for more := true; more; {
		answer := w.messages(who, &pb.ListMessagesRequest{RoomId: room, PageSize: int32(size), BeforeSeq: before}, random)
		for _, message := range answer.GetMessages() {
			w.Expect(before == 0 || message.Seq == before-1, "message %d comes before %d", message.Seq, before)
			w.Expect(before != 0 || message.Seq >= int64(count), "the newest of %d messages is %d", count, message.Seq)
			before = message.Seq
		}
		more = answer.GetHasMore()
	}
	w.Expect(before == 1, "the oldest message is %d", before)
}

// Oldest first: 1, 2, 3 ... at least as far as there were messages before.
func (w *pagingWorld) readOn(who *rig.Person, room string, size, count int, random *rand.Rand) {
	var after int64
	for more := true; more; {
		answer := w.messages(who, &pb.ListMessagesRequest{RoomId: room, PageSize: int32(size), AfterSeq: &after}, random)
		for _, message := range answer.GetMessages() {
			w.Expect(message.Seq == after+1, "message %d comes after %d", message.Seq, after)
			after = message.Seq
		}
		more = answer.GetHasMore()
	}
	w.Expect(after >= int64(count), "the last of %d messages is %d", count, after)
}
