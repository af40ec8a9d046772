package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P18", "codes are tried five times, and cost what the budget says", tryCodes)
}

const (
	codeTries      = 5  // of one code
	codeGuessers   = 64 // side by side
	codesPerPerson = 5  // an hour, and the two below
	codesPerNet    = 20
	otherPassword  = "Medlar-cheese-58"
)

type codeWorld struct {
	*rig.Trial
	cluster  *rig.Cluster
	clients  []*rig.Client // one for each server
	total    int           // codes that may go out in an hour
	networks atomic.Int64  // that were used up
	asked    atomic.Int64
	guesses  atomic.Int64
	spent    atomic.Int64 // codes that were promised to people who exist

	mutex      sync.Mutex
	ofAddress  map[string]int // codes that a client was promised
	ofNetwork  map[string]int
	refusedFor map[string]int // by reason
}

func tryCodes(t *rig.Trial) {
	w := &codeWorld{Trial: t, total: t.Size(150, 3000),
		ofAddress: map[string]int{}, ofNetwork: map[string]int{}, refusedFor: map[string]int{}}
	w.cluster = t.Cluster(rig.Setup{Servers: 3, Settings: map[string]string{
		"proxies": "1", "hide_unknown_accounts": "true", "otp_resend": "0s",
		"otp_per_hour": fmt.Sprint(codesPerPerson), "otp_network_per_hour": fmt.Sprint(codesPerNet),
		"otp_total_per_hour": fmt.Sprint(w.total)}})
	for _, server := range w.cluster.Servers {
		w.clients = append(w.clients, w.cluster.Client(server.Address))
	}
	people := w.cluster.People(t.Size(60, 2000), rig.Both)

	w.compareAnswers(people[0].Email)
	guessed := people[1:t.Size(9, 101)]
	for _, person := range guessed {
		w.guess(person)
	}
	w.exhaustOne(people[t.Size(9, 101)])
	w.attack(people, t.Size(240, 8000), t.Size(100, 1000), t.Size(1500, 60_000))
	w.checkBudgets()
	for _, person := range guessed {
		w.checkOpen(person)
	}
	t.Tried("guesses", int(w.guesses.Load()))
	t.Tried("codes asked for", int(w.asked.Load()))
	t.Measured("%d codes of %d guessed at %d times each", len(guessed), len(guessed), codeTries)
	t.Measured("%d mails of a budget of %d, over 3 servers", w.countCodes(), w.total)
	t.Measured("refused by budget: %d", w.refusedFor["OTP_BUDGET"])
}

// From is the context of a call that a trusted proxy passes on for an address.
func (w *codeWorld) from(address string) context.Context {
	return metadata.AppendToOutgoingContext(w.Context(), "x-forwarded-for", address)
}

func (w *codeWorld) newNetwork() string {
	n := w.networks.Add(1)
	return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
}

// Repeats what the server was too busy for; a budget that is used up is an answer.
func (w *codeWorld) patiently(call func() error) error {
	for {
		err := call()
		if reason := rig.Reason(err); err == nil || (reason != "OVERLOADED" && status.Code(err) != codes.Unavailable) ||
			w.Context().Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (w *codeWorld) ask(random *rand.Rand, email, network string) error {
	client := w.clients[random.IntN(len(w.clients))]
	ctx := w.from(network)
	w.asked.Add(1)
	return w.patiently(func() error {
		if random.IntN(2) == 0 {
			_, err := client.Auth.RequestPasswordReset(ctx, &pb.RequestPasswordResetRequest{Email: email})
			return err
		}
		_, err := client.Auth.SendEmailOtp(ctx,
			&pb.SendEmailOtpRequest{Email: email, Purpose: pb.OtpPurpose_OTP_PURPOSE_PASSWORD_RESET})
		return err
	})
}

// ---- Nobody learns who is known.

func (w *codeWorld) compareAnswers(known string) {
	calls := map[string]func(ctx context.Context, email string) (proto.Message, error){
		"SendEmailOtp": func(ctx context.Context, email string) (proto.Message, error) {
			return w.clients[0].Auth.SendEmailOtp(ctx, &pb.SendEmailOtpRequest{Email: email, Purpose: pb.OtpPurpose_OTP_PURPOSE_VERIFY_EMAIL})
		},
		"RequestPasswordReset": func(ctx context.Context, email string) (proto.Message, error) {
			return w.clients[1].Auth.RequestPasswordReset(ctx, &pb.RequestPasswordResetRequest{Email: email})
		},
		"VerifyEmailOtp": func(ctx context.Context, email string) (proto.Message, error) {
			return w.clients[2].Auth.VerifyEmailOtp(ctx, &pb.VerifyEmailOtpRequest{Email: email, Code: "000000"})
		},
		"ConfirmPasswordReset": func(ctx context.Context, email string) (proto.Message, error) {
			return w.clients[0].Auth.ConfirmPasswordReset(ctx,
				&pb.ConfirmPasswordResetRequest{Email: email, Code: "000000", NewPassword: otherPassword})
		},
		"Login": func(ctx context.Context, email string) (proto.Message, error) {
			return w.clients[1].Auth.Login(ctx, &pb.LoginRequest{Identifier: email, Password: "wrong"})
		},
	}
	names := make([]string, 0, len(calls))
	for name := range calls {
		names = append(names, name)
	}
	sort.Strings(names)
	for i := range 2 * codeTries { // good, wrong, exhausted, over budget
		for _, name := range names {
			ctx := w.from(fmt.Sprintf("192.0.2.%d", i))
			one := outline(calls[name](ctx, known))
			another := outline(calls[name](ctx, "nobody@promises.test"))
			w.Expect(one == another, "%s tells who is known: %q and %q", name, one, another)
		}
	}
	w.spent.Store(int64(w.Database("select count(*) from otp_challenge where user_id is not null")))
}

// All of an answer but its times.
func outline(message proto.Message, err error) string {
	if err == nil {
		fields := message.ProtoReflect().Descriptor().Fields()
		text := "OK"
		for i := range fields.Len() {
			text += fmt.Sprint(" ", fields.Get(i).Name(), message.ProtoReflect().Has(fields.Get(i)))
		}
		return text
	}
	text := fmt.Sprint(status.Code(err), " ", status.Convert(err).Message(), " ", rig.Reason(err))
	for _, detail := range status.Convert(err).Details() {
		text += fmt.Sprintf(" %T", detail)
	}
	return text
}

// Database is the number that a query answers.
func (w *codeWorld) Database(sql string, arguments ...any) int {
	return w.cluster.Database.Number(sql, arguments...)
}

// ---- Guessing.

func (w *codeWorld) confirm(number int, email, code string) error {
	return w.patiently(func() error {
		_, err := w.clients[number%len(w.clients)].Auth.ConfirmPasswordReset(w.from("198.51.100.7"),
			&pb.ConfirmPasswordResetRequest{Email: email, Code: code, NewPassword: otherPassword})
		return err
	})
}

// Sixty-four guesses at once: five are looked at, and then the right one is not.
func (w *codeWorld) guess(person *rig.Person) {
	code := w.sendCode(person)
	var looked, refused, right atomic.Int64
	w.Together(codeGuessers, func(number int) {
		guess := fmt.Sprintf("%06d", (atoi(code)+1+number)%1_000_000)
		err := w.confirm(number, person.Email, guess)
		w.guesses.Add(1)
		switch reason := rig.Reason(err); {
		case err == nil:
			right.Add(1)
		case reason == "OTP_WRONG":
			looked.Add(1)
		case reason == "OTP_EXHAUSTED":
			refused.Add(1)
		default:
			w.Broken("a guess: %v", err)
		}
	})
	w.Expect(looked.Load() == codeTries && right.Load() == 0, "%d wrong guesses at a code were looked at, %d were right", looked.Load(), right.Load())
	err := w.confirm(0, person.Email, code)
	w.Expect(rig.Reason(err) == "OTP_EXHAUSTED", "the right code after %d wrong ones: %v", codeTries, err)
	attempts := w.Database("select max(attempts) from otp_challenge where destination = $1", person.Email)
	w.Expect(attempts == codeTries, "%d tries are counted of %d", attempts, looked.Load())
}

func atoi(digits string) int {
	number := 0
	fmt.Sscanf(digits, "%d", &number)
	return number
}

// A new code for somebody, as the mail has it.
func (w *codeWorld) sendCode(person *rig.Person) string {
	before := len(w.codesOf(person.Email))
	w.Must(w.ask(w.Rand, person.Email, w.newNetwork()), "a code")
	w.spent.Add(1)
	for {
		if sent := w.codesOf(person.Email); len(sent) > before {
			return sent[len(sent)-1]
		}
		w.Must(w.Context().Err(), "a mail to %s", person.Email)
		time.Sleep(2 * time.Millisecond)
	}
}

func (w *codeWorld) codesOf(email string) []string {
	var codes []string
	for _, mail := range w.cluster.Mails() {
		if mail.To == email && mail.Code() != "" {
			codes = append(codes, mail.Code())
		}
	}
	return codes
}

// Whose code was guessed at has lost nothing: the password is as it was, and
// signs in.
func (w *codeWorld) checkOpen(person *rig.Person) {
	err := w.patiently(func() error {
		_, err := w.clients[0].Auth.Login(w.from(w.newNetwork()), &pb.LoginRequest{Identifier: person.Email, Password: rig.Password})
		return err
	})
	w.Expect(err == nil, "a sign-in after guesses by strangers: %v", err)
	_, err = w.clients[0].Users.GetMe(person.In(w.Context()), &pb.GetMeRequest{})
	w.Expect(err == nil, "an access token after guesses by strangers: %v", err)
}

// ---- Sending.

// Notes what the answer to a stranger means for the budgets.
func (w *codeWorld) record(email, network string, isKnown bool, err error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if err != nil {
		w.Expect(status.Code(err) == codes.ResourceExhausted, "a code for a stranger: %v", err)
		w.refusedFor[rig.Reason(err)]++
		return
	}
	w.ofAddress[email]++
	w.ofNetwork[network]++
	if isKnown {
		w.spent.Add(1)
	}
}

// All at once for one address from everywhere, for everybody from one network,
// and from one IPv6 network of many addresses.
func (w *codeWorld) exhaustOne(person *rig.Person) {
	w.Together(codeGuessers, func(number int) {
		random := w.Stream(number)
		network := fmt.Sprintf("172.16.0.%d", number)
		w.record(person.Email, network, true, w.ask(random, person.Email, network))
		email := fmt.Sprintf("stranger%d@promises.test", number)
		w.record(email, "172.16.1.1", false, w.ask(random, email, "172.16.1.1"))
		email = fmt.Sprintf("guest%d@promises.test", number)
		address := fmt.Sprintf("2001:db8:1:2::%x", 1+number)
		w.record(email, "2001:db8:1:2::/64", false, w.ask(random, email, address))
	})
	w.Expect(w.ofAddress[person.Email] == codesPerPerson, "one address gets %d codes, not %d", w.ofAddress[person.Email], codesPerPerson)
	for _, network := range []string{"172.16.1.1", "2001:db8:1:2::/64"} {
		w.Expect(w.ofNetwork[network] == codesPerNet, "%s gets %d codes, not %d", network, w.ofNetwork[network], codesPerNet)
	}
}

// Many networks ask for codes to many addresses, some of which are known.
func (w *codeWorld) attack(people []*rig.Person, strangers, networks, requests int) {
	w.Together(codeGuessers, func(worker int) {
		random := w.Stream(100 + worker)
		for i := worker; i < requests && w.Context().Err() == nil; i += codeGuessers {
			network := fmt.Sprintf("172.20.%d.%d", i%networks/250, i%networks%250)
			number := random.IntN(len(people) + strangers)
			email := fmt.Sprintf("phantom%d@promises.test", number)
			if number < len(people) {
				email = people[number].Email
			}
			w.record(email, network, number < len(people), w.ask(random, email, network))
		}
	})
}

func (w *codeWorld) countCodes() int {
	count := 0
	for _, mail := range w.cluster.Mails() {
		if mail.Code() != "" {
			count++
		}
	}
	return count
}

// What clients were promised, what the database has counted and what was mailed.
func (w *codeWorld) checkBudgets() {
	for email, count := range w.ofAddress {
		w.Expect(count <= codesPerPerson, "%s got %d codes", email, count)
	}
	for network, count := range w.ofNetwork {
		w.Expect(count <= codesPerNet, "%s got %d codes", network, count)
	}
	counted := w.Database("select coalesce(sum(sent), 0) from otp_budget where bucket = 'total'")
	w.Expect(counted == w.total, "%d codes are counted of a budget of %d", counted, w.total)
	w.Expect(int(w.spent.Load()) == counted, "%d codes were promised and %d are counted", w.spent.Load(), counted)
	for begin := time.Now(); w.countCodes() < counted && time.Since(begin) < 30*time.Second; {
		time.Sleep(20 * time.Millisecond) // mails go out beside the calls
	}
	w.Expect(w.countCodes() == counted, "%d codes were mailed and %d are counted", w.countCodes(), counted)
}
