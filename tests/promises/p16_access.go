package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"prbal.test/api/prbal"
	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P16", "what is somebody else's is not there", tryAccess)
}

// What the id in a field is of. A field of a name that is not here breaks the
// promise, so that nobody adds an id without saying whose it is.
var idKinds = map[string]string{
	"bid_id": "bid", "booking_id": "booking", "service_id": "service", "session_id": "session", "room_id": "room",
	"reply_to_id": "message", "up_to_message_id": "message", "notification_ids": "notification",
	"job_id": "job",
	// Whether somebody is there; only who shares a room with them is told.
	"user_ids": "presence",
	// Everybody may know of these.
	"user_id": "user", "target_user_id": "user", "owner_id": "user",
	"category_id": "category", "category_ids": "category", "parent_id": "category",
	// The caller makes these.
	"request_id": "key", "client_message_id": "key",
}

// Not even an administrator reads these.
var areBlindToAdmins = map[string]bool{"room": true, "message": true, "notification": true, "session": true, "presence": true}

// What these do with a listed service is anybody's right.
var areOpenOnListed = map[string]bool{
	"BidService/CreateBid": true, "BookingService/CreateBooking": true, "ListingService/GetService": true}

// What a request must have besides ids, to get as far as somebody's objects.
var fillings = map[string]string{
	"AdminService/ListJobs":             `{"statuses":["JOB_STATUS_RUNNING"]}`,
	"AdminService/PauseQueue":           `{"queue":"reminders"}`,
	"AuthService/ChangePassword":        `{"oldPassword":"wrong","newPassword":"Medlar-cheese-58"}`,
	"AuthService/ConfirmPasswordReset":  `{"email":"nobody@promises.test","code":"000000","newPassword":"Medlar-cheese-58"}`,
	"AuthService/Login":                 `{"identifier":"nobody@promises.test","password":"wrong"}`,
	"AuthService/RefreshToken":          `{"refreshToken":"none"}`,
	"AuthService/Register":              `{"email":"{new}@promises.test","password":"Medlar-cheese-58","fullName":"New","userType":"USER_TYPE_SEEKER"}`,
	"AuthService/RequestPasswordReset":  `{"email":"nobody@promises.test"}`,
	"AuthService/SendEmailOtp":          `{"email":"nobody@promises.test","purpose":"OTP_PURPOSE_VERIFY_EMAIL"}`,
	"AuthService/VerifyEmailOtp":        `{"email":"nobody@promises.test","code":"000000"}`,
	"BidService/CreateBid":              `{"message":"Mine","amount":{"amountMinor":1,"currency":"USD"}}`,
	"BidService/ListBids":               `{"role":"BID_ROLE_SEEKER"}`,
	"BidService/UpdateBid":              `{"message":"Mine"}`,
	"BookingService/CreateBooking":      `{"fullName":"Eve"}`,
	"CatalogService/GetCategory":        `{"categoryId":"{category}"}`,
	"ChatService/OpenDirectRoom":        `{"targetUserId":"{shop}"}`,
	"ChatService/SendMessage":           `{"content":"Hello"}`,
	"ListingService/BrowseServices":     `{"filter":{"ownerId":"{owner}"}}`,
	"ListingService/CreateService":      `{"title":"Another one","description":"As it says.","categoryIds":["{category}"],"price":{"amountMinor":1,"currency":"USD"}}`,
	"ListingService/ListNearbyServices": `{"point":{"latitude":30,"longitude":31},"radiusKm":200,"filter":{"ownerId":"{owner}"}}`,
	"ListingService/ListServices":       `{"kind":"SERVICE_KIND_OFFERED"}`,
	"ListingService/UpdateService":      `{"title":"Now mine"}`,
	"UserService/GetUser":               `{"userId":"{owner}"}`,
}

// Who tries. A caller of a kind is a new person in each method, since some calls
// end the caller's own sign-in.
type caller struct {
	name     string
	kind     rig.Kind // "" has no token
	isFriend bool
	service  bool // shows a service's certificate
}

var strangers = []caller{
	{name: "nobody"}, {name: "a pending account", kind: rig.Pending},
	{name: "a seeker", kind: rig.Seeker}, {name: "a provider", kind: rig.Provider},
	{name: "a seeker and provider", kind: rig.Both}, {name: "a learner", kind: rig.Learner},
	{name: "a service", service: true}, {name: "a service for somebody", kind: rig.Both, service: true},
	{name: "a friend of the owner", kind: rig.Provider, isFriend: true},
	{name: "staff", kind: rig.Staff}, {name: "a superuser", kind: rig.Admin},
}

type accessTrial struct {
	*accessWorld
	methods []rig.Method
	people  map[rig.Kind][]*rig.Person // one for each method

	mutex                sync.Mutex
	calls, pairs         int
	reached              map[string]bool // methods, and those with a field, that got to the objects
	seen                 map[string]bool // canaries that those saw who may
	foreignUS, missingUS int64
}

func tryAccess(t *rig.Trial) {
	a := &accessTrial{accessWorld: newAccessWorld(t), methods: rig.Methods(), people: map[rig.Kind][]*rig.Person{},
		reached: map[string]bool{}, seen: map[string]bool{}}
	a.checkIDs()
	for _, kind := range []rig.Kind{rig.Pending, rig.Seeker, rig.Provider, rig.Both, rig.Learner, rig.Staff, rig.Admin} {
		a.people[kind] = a.cluster.People(len(a.methods), kind)
	}
	before := a.hashes()
	t.Together(len(strangers), func(number int) {
		for i := range a.methods {
			a.tryMethod(strangers[number], i)
		}
	})
	after := a.hashes()
	for table, hash := range before {
		t.Expect(after[table] == hash, "the owner's rows in %s are not as they were: %s, now %s", table, hash, after[table])
	}
	a.tryRightful()
	a.checkContact()
	a.checkAnonymous()
	for _, method := range a.methods {
		t.Expect(a.reached[method.Name], "%s got no further than its checks: it needs a filling", method.Name)
	}
	t.Expect(a.columns >= 40 && len(a.seen) >= 20, "canaries in %d columns, of which the rightful saw %d", a.columns, len(a.seen))

	t.Tried("calls", a.calls)
	t.Measured("%d RPCs by %d kinds of caller", len(a.methods), len(strangers))
	t.Measured("%d foreign ids answered like ids of nothing", a.pairs)
	t.Measured("in %d and %d µs", a.foreignUS/int64(max(a.pairs, 1)), a.missingUS/int64(max(a.pairs, 1)))
	t.Measured("no row of %d tables changed", len(before))
	t.Measured("canaries in %d columns, none with a stranger", a.columns)
}

// ---- Ids in requests.

type idField struct {
	name, kind string
	isList     bool
}

func isID(field protoreflect.FieldDescriptor) bool {
	name := string(field.Name())
	return field.Kind() == protoreflect.StringKind && (strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_ids"))
}

func idsOf(method rig.Method) []idField {
	var ids []idField
	for i := range method.Input.Fields().Len() {
		if field := method.Input.Fields().Get(i); isID(field) {
			ids = append(ids, idField{string(field.Name()), idKinds[string(field.Name())], field.IsList()})
		}
	}
	return ids
}

func (a *accessTrial) checkIDs() {
	for _, method := range a.methods {
		a.checkIDsOf(method.Name, method.Input, 0)
	}
}

// Below the top of a request only what is public is tried.
func (a *accessTrial) checkIDsOf(method string, message protoreflect.MessageDescriptor, depth int) {
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if field.Message() != nil && depth < 5 {
			a.checkIDsOf(method, field.Message(), depth+1)
		}
		kind, known := idKinds[string(field.Name())]
		if isID(field) && (!known || depth > 0 && kind != "user" && kind != "category") {
			a.Broken("%s: whose is %s?", method, field.FullName())
		}
	}
}

// ---- Calls.

// Somebody who calls: their token, and a room of their own.
type actor struct {
	caller
	person *rig.Person
	client *rig.Client
	room   string
}

func (a *accessTrial) actorFor(c caller, method int) *actor {
	who := &actor{caller: c, client: a.client}
	if c.service {
		who.client = a.service
	}
	if c.isFriend {
		who.person, who.room = a.friend, a.shared["room"]
	} else if c.kind != "" {
		who.person = a.people[c.kind][method]
	}
	return who
}

func (who *actor) in(ctx context.Context) context.Context {
	if who.person == nil {
		return ctx
	}
	return who.person.In(ctx)
}

func (a *accessTrial) ownRoom(who *actor) string {
	if who.room == "" && who.person != nil {
		room, err := a.client.Chat.OpenDirectRoom(who.in(a.Context()), &pb.OpenDirectRoomRequest{TargetUserId: a.shop.ID})
		if err == nil {
			who.room = room.Room.RoomId
		}
	}
	return who.room
}

// The method's request with an id in one field.
func (a *accessTrial) request(who *actor, method rig.Method, field *idField, id string) proto.Message {
	json := fillings[method.Name]
	if json == "" {
		json = "{}"
	}
	request := method.Request(strings.NewReplacer("{owner}", a.owner.ID, "{shop}", a.shop.ID,
		"{category}", a.category, "{new}", rig.NewID()).Replace(json))
	if field == nil {
		return request
	}
	message := request.ProtoReflect()
	descriptor := message.Descriptor().Fields().ByName(protoreflect.Name(field.name))
	if field.isList {
		message.Mutable(descriptor).List().Append(protoreflect.ValueOf(id))
	} else {
		message.Set(descriptor, protoreflect.ValueOf(id))
	}
	if field.kind == "message" {
		rig.Set(request, "room_id", a.ownRoom(who))
	}
	return request
}

func (a *accessTrial) call(who *actor, method rig.Method, field *idField, id string) (rig.Answer, time.Duration) {
	request := a.request(who, method, field, id)
	patience := time.Minute
	if strings.HasPrefix(method.Name, "EventService/") {
		patience = 300 * time.Millisecond // a stream that is silent is all there is to hear
	}
	begin := time.Now()
	answer, _ := rig.Until(a.Context(), func(ctx context.Context) (rig.Answer, error) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		answer := who.client.Call(who.in(ctx), method, request)
		if rig.Reason(answer.Err) == "OVERLOADED" {
			return answer, answer.Err
		}
		return answer, nil
	})
	took := time.Since(begin)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.calls++
	return answer, took
}

func isRefusedAtTheDoor(answer rig.Answer) bool {
	switch rig.Reason(answer.Err) {
	case "TOKEN_MISSING", "ACCOUNT_NOT_VERIFIED", "ROLE_REQUIRED":
		return true
	}
	return false
}

func mayCall(method rig.Method, kind rig.Kind) bool {
	for _, role := range method.Roles {
		if role == prbal.Role_ROLE_OPEN || role == prbal.Role_ROLE_PUBLIC || kind != "" && kind.Roles()>>int(role)&1 == 1 {
			return true
		}
	}
	return false
}

// ---- Strangers.

func (a *accessTrial) tryMethod(c caller, number int) {
	method := a.methods[number]
	if c.isFriend && method.Name == "AuthService/Logout" {
		return
	}
	who := a.actorFor(c, number)
	isAdmin := c.kind == rig.Staff || c.kind == rig.Admin
	hasPrivate := false
	for _, field := range idsOf(method) {
		if a.private[field.kind] == "" || isAdmin && !areBlindToAdmins[field.kind] || c.isFriend && field.kind == "presence" {
			continue
		}
		hasPrivate = true
		a.tryForeign(who, method, field, a.private[field.kind])
		if field.kind == "service" && !(areOpenOnListed[method.Name] && c.kind != "") {
			a.tryForeign(who, method, field, a.live)
		}
	}
	if !hasPrivate && !isAdmin || len(idsOf(method)) == 0 {
		answer, _ := a.call(who, method, nil, "")
		a.checkDoor(who, method, answer)
		a.checkLeaks(who, method, answer)
	}
}

func (a *accessTrial) checkDoor(who *actor, method rig.Method, answer rig.Answer) {
	may := mayCall(method, who.kind)
	a.Expect(may != isRefusedAtTheDoor(answer), "%s by %s: %v", method.Name, who.name, answer.Err)
	if may && status.Code(answer.Err) != codes.InvalidArgument {
		a.mutex.Lock()
		a.reached[method.Name] = true
		a.mutex.Unlock()
	}
	// Codes and passwords are arguments that are wrong whatever they are.
	if reason := rig.Reason(answer.Err); reason == "OTP_WRONG" || strings.HasPrefix(method.Name, "AuthService/ChangePassword") && may {
		a.mutex.Lock()
		a.reached[method.Name] = true
		a.mutex.Unlock()
	}
}

// The owner's object, and then one that nobody has.
func (a *accessTrial) tryForeign(who *actor, method rig.Method, field idField, id string) {
	nothing := rig.NewID()
	isFirst := nothing[len(nothing)-1]%2 == 0 // who comes first pays for the token
	var foreign, missing rig.Answer
	var foreignTook, missingTook time.Duration
	for range 2 {
		if isFirst {
			foreign, foreignTook = a.call(who, method, &field, id)
		} else {
			missing, missingTook = a.call(who, method, &field, nothing)
		}
		isFirst = !isFirst
	}
	what := fmt.Sprintf("%s with a foreign %s by %s", method.Name, field.name, who.name)
	one, another := everything(foreign, id), everything(missing, nothing)
	a.Expect(one == another, "%s: %.200q, and with none: %.200q", what, one, another)
	a.checkDoor(who, method, foreign)
	if code := status.Code(foreign.Err); mayCall(method, who.kind) {
		a.Expect(code == codes.NotFound || code == codes.OK || code == codes.FailedPrecondition, "%s: %v", what, foreign.Err)
	}
	a.checkLeaks(who, method, foreign)
	a.checkLeaks(who, method, missing)
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.pairs++
	a.foreignUS += foreignTook.Microseconds()
	a.missingUS += missingTook.Microseconds()
}

// Differs from call to call, whatever is asked.
var volatileHeaders = map[string]bool{"date": true, "x-request-id": true, "x-ratelimit-remaining": true, "prbal-read-after": true,
	"grpc-status-details-bin": true}

const noID = "\x00"

// All that an answer has, with the id that was asked for taken out.
func everything(answer rig.Answer, id string) string {
	text := ""
	if answer.Message != nil {
		bytes, _ := proto.MarshalOptions{Deterministic: true}.Marshal(answer.Message)
		text = string(bytes)
	}
	text += statusText(answer.Err)
	for _, fields := range []metadata.MD{answer.Header, answer.Trailer} {
		names := make([]string, 0, len(fields))
		for name := range fields {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			text += " " + name
			if !volatileHeaders[name] {
				text += "=" + strings.Join(fields[name], ",")
			}
		}
	}
	return strings.ReplaceAll(text, id, "ID")
}

// Code, sentence and details.
func statusText(err error) string {
	bytes, _ := proto.MarshalOptions{Deterministic: true}.Marshal(status.Convert(err).Proto())
	return string(bytes)
}

func (a *accessTrial) checkLeaks(who *actor, method rig.Method, answer rig.Answer) {
	for _, canary := range a.canariesIn(everything(answer, noID)) {
		isAllowed := strings.HasPrefix(canary, "signed-") && who.person != nil ||
			strings.HasPrefix(canary, "shared-") && who.isFriend
		a.Expect(isAllowed, "%s tells %s of %s", method.Name, who.name, canary)
	}
}

// ---- Those whose it is.

// Strangers have shown nothing unless somebody gets through: each of these ids
// opens the same doors to the owner, the partner or an administrator.
func (a *accessTrial) tryRightful() {
	rightful := []*actor{
		{caller: caller{name: "the owner", kind: rig.Seeker}, person: a.owner, client: a.client, room: a.private["room"]},
		{caller: caller{name: "the partner", kind: rig.Provider}, person: a.partner, client: a.client, room: a.private["room"]},
		{caller: caller{name: "staff", kind: rig.Staff}, person: a.cluster.Person(rig.Staff), client: a.client},
	}
	methods := append([]rig.Method{}, a.methods...)
	sort.SliceStable(methods, func(i, j int) bool { return rank(methods[i]) < rank(methods[j]) })
	for _, method := range methods {
		for _, field := range idsOf(method) {
			if a.private[field.kind] == "" || field.kind == "service" && areOpenOnListed[method.Name] && method.Name != "ListingService/GetService" {
				continue
			}
			gotThrough := false
			for _, who := range rightful {
				answer, _ := a.call(who, method, &field, a.private[field.kind])
				code := status.Code(answer.Err)
				gotThrough = gotThrough || !isRefusedAtTheDoor(answer) && code != codes.NotFound && code != codes.InvalidArgument
				a.checkRightful(who, method, answer)
			}
			a.Expect(gotThrough, "%s with %s is of no use to anybody", method.Name, field.name)
			a.reached[method.Name] = a.reached[method.Name] || gotThrough // no stranger comes near what is for administrators
		}
	}
	answer, _ := a.call(rightful[0], a.method("UserService/GetMe"), nil, "")
	a.Expect(answer.Err != nil || len(a.canariesIn(everything(answer, noID))) > 5, "the owner's own account shows no canaries")
	a.checkRightful(rightful[0], a.method("UserService/GetMe"), answer)
}

func (a *accessTrial) method(name string) rig.Method {
	for _, method := range a.methods {
		if method.Name == name {
			return method
		}
	}
	panic("there is no " + name)
}

// Reads before writes; what ends sign-ins comes last.
func rank(method rig.Method) int {
	_, name, _ := strings.Cut(method.Name, "/")
	switch {
	case strings.HasPrefix(method.Name, "AuthService/"):
		return 2
	case strings.HasPrefix(name, "Get") || strings.HasPrefix(name, "List"):
		return 0
	}
	return 1
}

// Even they see nothing of an account that is not theirs.
func (a *accessTrial) checkRightful(who *actor, method rig.Method, answer rig.Answer) {
	for _, canary := range a.canariesIn(everything(answer, noID)) {
		table := strings.Split(canary, "-")[1]
		isPersonal := table == "account" || table == "profile" || table == "provider_profile" || table == "session" || table == "user_preference"
		a.Expect(!isPersonal || who.person == a.owner, "%s tells %s of %s", method.Name, who.name, canary)
		a.seen[canary] = true
	}
}

// Once a booking is confirmed its sides see each other's address and number, by
// GetBooking, and nothing else of each other's account.
func (a *accessTrial) checkContact() {
	a.cluster.Database.Exec("update booking set status = 'CONFIRMED' where booking_id = $1", a.private["booking"])
	partner := &actor{caller: caller{name: "the partner of a confirmed booking"}, person: a.partner, client: a.client}
	field := idField{name: "booking_id", kind: "booking"}
	answer, _ := a.call(partner, a.method("BookingService/GetBooking"), &field, a.private["booking"])
	personal := map[string]bool{}
	for _, canary := range a.canariesIn(everything(answer, noID)) {
		if strings.HasPrefix(canary, "private-account-") {
			personal[canary] = true
		}
	}
	a.Expect(len(personal) == 2 && personal["private-account-email"] && personal["private-account-phone"],
		"the partner of a confirmed booking sees %v of the account", personal)
}

// Without a token an offer has no address.
func (a *accessTrial) checkAnonymous() {
	answer, err := a.client.Listings.GetService(a.Context(), &pb.GetServiceRequest{ServiceId: a.offer})
	a.Expect(err == nil && answer.Service.LocationText == "" && answer.Service.Coordinates == nil,
		"without a token an offer tells where it is: %v %v", answer, err)
	answer, err = a.client.Listings.GetService(a.friend.In(a.Context()), &pb.GetServiceRequest{ServiceId: a.offer})
	a.Expect(err == nil && answer.Service.LocationText != "", "with a token it does not: %v %v", answer, err)
}
