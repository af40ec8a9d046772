package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

func init() {
	rig.Register("P11", "a committed job runs, and its effect happens once", aCommittedJobRuns)
}

const (
	p11Shops     = 96 // providers, each with a service that is booked at once
	p11StartedIn = time.Second
	p11EndedIn   = 60 * time.Second
)

type p11Shop struct {
	*rig.Person
	service string
}

type p11 struct {
	*rig.Trial
	cluster *rig.Cluster
	clients []*rig.Client
	history *rig.History
	seeker  *rig.Person
	shops   []p11Shop
	lease   time.Duration
	booking time.Duration // how long it takes to book all shops
}

// The work is what the API itself makes jobs of. Confirming a booking plans a
// reminder for an hour before its start, so one that starts in an hour and two
// seconds has a job that is due in two seconds, whose effect is a notification
// for each of two people. Asking for a new password makes a mail: a file.
func aCommittedJobRuns(t *rig.Trial) {
	p := &p11{Trial: t, history: rig.NewHistory(), lease: t.Time(2*time.Second, 5*time.Second)}
	p.cluster = t.Cluster(rig.Setup{Servers: 3, Settings: map[string]string{
		"job_lease": p.lease.String(), "otp_network_per_hour": "100000", "otp_total_per_hour": "1000000",
	}})
	p.open()
	p.startWhenIdle()
	faults := p.breakWorkers()
	p.awaitEnd()
	p.checkReminders()
	p.checkMail()
	p.checkRest(faults)
}

func (p *p11) open() {
	for _, server := range p.cluster.Servers {
		p.clients = append(p.clients, p.cluster.Client(server.Address))
	}
	p.seeker = p.cluster.Person(rig.Seeker)
	for _, person := range p.cluster.People(p11Shops, rig.Provider) {
		service, err := p.cluster.Offer(p.clients[0], person, rig.Deal{Title: "Reminded of", Instant: true})
		p.Must(err, "a service")
		p.shops = append(p.shops, p11Shop{person, service})
	}
}

// Books one second of a shop, so that its reminder is due at that moment.
func (p *p11) book(client *rig.Client, shop p11Shop, due time.Time) {
	start := due.Add(time.Hour)
	request := &pb.CreateBookingRequest{
		ServiceId: shop.service, FullName: p.seeker.Name, RequestId: rig.NewID(),
		StartTime: timestamppb.New(start), EndTime: timestamppb.New(start.Add(time.Second)),
	}
	answer, err := rig.Until(p.Context(), func(ctx context.Context) (*pb.CreateBookingResponse, error) {
		return client.Bookings.CreateBooking(p.seeker.In(ctx), request)
	})
	p.Expect(err == nil, "CreateBooking: %v", err)
	p.history.Record("booking", answer.GetBooking().GetBookingId(), rig.OutcomeOf(err), "")
}

// Once: whether a second letter is written after an unknown outcome is for the
// limits of codes to say.
func (p *p11) mail(client *rig.Client, person *rig.Person) {
	_, err := rig.Once(p.Context(), func(ctx context.Context) (*pb.RequestPasswordResetResponse, error) {
		return client.Auth.RequestPasswordReset(ctx, &pb.RequestPasswordResetRequest{Email: person.Email})
	})
	p.history.Record("mail", person.ID, rig.OutcomeOf(err), "")
}

// Nothing else is going on: each job has to start within a second.
func (p *p11) startWhenIdle() {
	begin := time.Now()
	due := begin.Add(2 * time.Second)
	people := p.cluster.People(p11Shops, rig.Seeker)
	p.Together(4, func(number int) {
		for i := number; i < p11Shops; i += 4 {
			p.book(p.clients[i%3], p.shops[i], due.Add(time.Duration(i)*17*time.Millisecond))
			p.mail(p.clients[i%3], people[i])
		}
	})
	p.booking = time.Since(begin)
	p.awaitEnd()
	var started float64
	err := p.cluster.Database.SQL().QueryRow(p.Context(), `
select percentile_disc(0.99) within group (order by extract(epoch from started_at - greatest(run_at, created_at)))
  from job_ended where kind in ('booking_remind', 'mail_deliver')`).Scan(&started)
	p.Must(err, "when jobs started")
	p.ExpectInTime(started <= p11StartedIn.Seconds(), "when idle, 1 %% of the jobs started later than %.2f s after they were due", started)
	p.Measured("started p99 %.0f ms when idle", started*1000)
}

// Volleys of jobs that are due at the same moment, and a fault while they run.
func (p *p11) breakWorkers() int {
	random := p.Stream(1)
	faults := []func(*rand.Rand, *rig.Server) error{p.stop, p.kill, p.stop, p.terminate}
	rounds := p.Size(4, 60)
	for round := range rounds {
		due := time.Now().Add(max(2*time.Second, p.booking*5/4))
		p.fire(due, random.IntN(3))
		time.Sleep(time.Until(due) + time.Duration(random.IntN(60))*time.Millisecond)
		server := p.cluster.Servers[random.IntN(3)]
		p.Must(faults[round%len(faults)](random, server), "a fault")
	}
	return rounds
}

// All shops are booked, and letters asked for, through all servers; one of them
// is killed meanwhile in a third of the rounds.
func (p *p11) fire(due time.Time, victim int) {
	people := p.cluster.People(9, rig.Seeker)
	p.Together(11, func(number int) {
		switch {
		case number == 10 && victim == 0:
			time.Sleep(100 * time.Millisecond)
			p.Expect(p.cluster.Servers[0].Kill() == nil, "kill")
			p.Expect(p.cluster.Servers[0].Start() == nil, "start")
		case number == 9:
			for i, person := range people {
				p.mail(p.clients[i%3], person)
			}
		case number < 9:
			for i := number; i < p11Shops; i += 9 {
				p.book(p.clients[i%3], p.shops[i], due)
			}
		}
	})
}

// Two of three processes are stopped for longer than their lease, and then go on
// where they were: by then the third one has their jobs.
func (p *p11) stop(random *rand.Rand, awake *rig.Server) error {
	each := func(number syscall.Signal) {
		for _, server := range p.cluster.Servers {
			if server != awake {
				server.Signal(number)
			}
		}
	}
	each(syscall.SIGSTOP)
	time.Sleep(p.lease + time.Duration(1000+random.IntN(1000))*time.Millisecond)
	each(syscall.SIGCONT)
	return nil
}

func (p *p11) kill(_ *rand.Rand, server *rig.Server) error {
	if err := server.Kill(); err != nil {
		return err
	}
	return server.Start()
}

func (p *p11) terminate(_ *rand.Rand, server *rig.Server) error {
	if err := server.Terminate(); err != nil {
		return err
	}
	return server.Start()
}

const p11Work = "kind in ('booking_remind', 'mail_deliver')"

// Until all work is done, or for longer than any of it may take.
func (p *p11) awaitEnd() {
	waiting := p.cluster.Database.Number("select count(*) from job where " + p11Work)
	for end := time.Now().Add(p11EndedIn + 10*time.Second); waiting > 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
		waiting = p.cluster.Database.Number("select count(*) from job where " + p11Work)
	}
	p.Expect(waiting == 0, "%d jobs did not come to their end", waiting)
}

func (p *p11) none(broken, query string) {
	count := p.cluster.Database.Number("select count(*) from " + query)
	p.Expect(count == 0, "%d %s", count, broken)
}

// Every confirmed booking has a job for an hour before its start. Where the booking
// took too long, that was over by then, and the job has nothing to say.
func (p *p11) checkReminders() {
	p.none("bookings have no reminder", `booking k where k.status = 'CONFIRMED' and not exists (select from job_ended j where split_part(j.unique_key, ' ', 1) = k.booking_id::text
		and j.unique_key like '%-1h')`)
	p.none("reminders have no booking", `job_ended j where j.kind = 'booking_remind'
		and not exists (select from booking k where k.booking_id::text = split_part(j.unique_key, ' ', 1))`)
	p.none("people were not reminded exactly once", `booking k
		join job_ended j on j.unique_key like '%-1h' and split_part(j.unique_key, ' ', 1) = k.booking_id::text
		cross join lateral (values (k.seeker_id), (k.provider_id)) u (id)
		where (select count(*) from notification n where n.type = 'TASK_REMINDER'
		and n.related_object_id = k.booking_id and n.recipient_id = u.id)
		<> (k.accepted_at < k.start_at - interval '1 hour')::int`)
	p.none("reminders in streams that are not there exactly once", `(select count(*) as c from notification where type = 'TASK_REMINDER') n,
		(select count(*) as c from user_event e where e.topic = 'NOTIFICATION' and position('\x52656d696e646572'::bytea in e.payload) > 0) e
		where n.c <> e.c`)
}

// Every letter that was acknowledged was written, and each once.
func (p *p11) checkMail() {
	rows, err := p.cluster.Database.SQL().Query(p.Context(),
		"select job_id::text from job_ended where kind = 'mail_deliver' and status = 'SUCCEEDED'")
	p.Must(err, "the letters")
	letters := 0
	for rows.Next() {
		var id string
		p.Must(rows.Scan(&id), "a letter")
		_, err := os.Stat(filepath.Join(p.cluster.DataFolder(), "outbox", id+".eml"))
		p.Expect(err == nil, "the letter of job %s was not written", id)
		letters++
	}
	files, err := filepath.Glob(filepath.Join(p.cluster.DataFolder(), "outbox", "*.eml"))
	p.Must(err, "the outbox")
	p.Expect(len(files) == letters, "%d letters were written for %d jobs", len(files), letters)
	acknowledged := p.history.Count("mail", rig.Done)
	p.Expect(letters >= acknowledged, "%d letters for %d that were acknowledged", letters, acknowledged)
	p.Expect(letters <= p.history.Size("mail"), "%d letters for %d that were asked for", letters, p.history.Size("mail"))
}

func (p *p11) checkRest(faults int) {
	p.none("jobs are dead", "job_ended where status <> 'SUCCEEDED' and "+p11Work)
	p.none("ticks of the clock came twice", `(select from job_ended where kind in
		('bid_expire_overdue', 'booking_expire_overdue') group by kind, unique_key having count(*) > 1) twice`)
	var slowest float64
	err := p.cluster.Database.SQL().QueryRow(p.Context(), `
select max(extract(epoch from j.ended_at - greatest(coalesce(k.start_at - interval '1 hour', j.created_at), j.created_at)))
  from job_ended j left join booking k on k.booking_id::text = split_part(j.unique_key, ' ', 1)
 where j.`+p11Work).Scan(&slowest)
	p.Must(err, "when jobs ended")
	p.ExpectInTime(slowest <= p11EndedIn.Seconds(), "a job took %.1f s from being due to its end", slowest)

	p.Tried("jobs", p.cluster.Database.Number("select count(*) from job_ended where "+p11Work))
	p.Tried("workers killed or stopped", faults)
	p.Measured("%d run again elsewhere", p.cluster.Database.Number("select count(*) from job_ended where attempt > 1"))
	p.Measured("%d zombies fenced", p.fenced())
	p.Measured("slowest %.1f s after it was due", slowest)
}

var p11Fenced = regexp.MustCompile(`job_runs_total\{[^}]*outcome="FENCED"[^}]*\} (\d+)`)

// As told by the servers that run now: those that were stopped, not killed.
func (p *p11) fenced() int {
	total := 0
	for _, server := range p.cluster.Servers {
		answer, err := http.Get(fmt.Sprintf("http://%s/metrics", server.Edge))
		p.Must(err, "/metrics")
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		p.Must(err, "/metrics")
		for _, found := range p11Fenced.FindAllSubmatch(text, -1) {
			count, _ := strconv.Atoi(string(found[1]))
			total += count
		}
	}
	return total
}
