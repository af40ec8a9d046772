package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/promises/rig"
)

// What P16 stands on: an owner, whose dealings with a partner are the objects that
// strangers try to reach; a friend, who has dealings of the same kinds with the
// owner, and still nothing to do with these; a shop, whose things are for all.
type accessWorld struct {
	*rig.Trial
	cluster                      *rig.Cluster
	client, service              *rig.Client // service shows a certificate
	owner, partner, friend, shop *rig.Person
	category                     string

	private deal // between owner and partner
	shared  deal // between owner and friend
	live    string
	offer   string // the shop's
	tag     string // begins every canary
	phone   string
	columns int // that got canaries
}

// The ids of what two people have to do with each other, by kind.
type deal map[string]string

func newAccessWorld(t *rig.Trial) *accessWorld {
	w := &accessWorld{Trial: t, tag: fmt.Sprintf("canary%06x", t.Rand.IntN(1<<24)),
		phone: fmt.Sprintf("+2011%07d", t.Rand.IntN(10_000_000))}
	authority, certificate := makeAuthority(t)
	w.cluster = t.Cluster(rig.Setup{TLS: true, Settings: map[string]string{
		"tls_client_auth": "optional", "tls_client_ca": authority, "service_identities": "billing.test"}})
	address := w.cluster.Servers[0].Address
	w.client = w.cluster.Client(address)
	w.service = w.cluster.Client(address, grpc.WithTransportCredentials(w.showing(certificate)))

	w.owner, w.partner = w.cluster.Person(rig.Seeker), w.cluster.Person(rig.Provider)
	w.friend, w.shop = w.cluster.Person(rig.Provider), w.cluster.Person(rig.Both)
	t.Must(w.cluster.Database.SQL().QueryRow(t.Context(), "select category_id::text from category order by slug limit 1").
		Scan(&w.category), "a category")
	w.private, w.live = w.makeDeal(w.partner)
	w.shared, _ = w.makeDeal(w.friend)
	w.offer = w.post(w.shop, true, "Open to all")
	w.private["session"], w.private["presence"] = w.owner.Session, w.owner.ID
	w.private["service"] = w.post(w.owner, false, "Taken back")
	w.cluster.Database.Exec("update service set is_active = false where service_id = $1", w.private["service"])
	w.private["job"] = w.job()
	w.hideCanaries()
	return w
}

func (w *accessWorld) post(owner *rig.Person, isOffer bool, title string) string {
	create := w.cluster.Need
	if isOffer {
		create = w.cluster.Offer
	}
	id, err := create(w.client, owner, rig.Deal{Title: title})
	w.Must(err, "a service")
	return id
}

// Work that waits, and that no server of this version takes.
func (w *accessWorld) job() (id string) {
	w.Must(w.cluster.Database.SQL().QueryRow(w.Context(), `
insert into job (kind, run_at, attempts_max, arguments) values ('of_another_version', now() + interval '1 day', 1, '')
returning job_id::text`).Scan(&id), "a job")
	return id
}

// A bid on something that the owner needs, a booking, and a talk.
func (w *accessWorld) makeDeal(other *rig.Person) (deal, string) {
	ctx := w.Context()
	needed, offered := w.post(w.owner, false, "Needed work"), w.post(other, true, "Offered work")
	bid, err := w.client.Bids.CreateBid(other.In(ctx), &pb.CreateBidRequest{ServiceId: needed, Message: "Between us",
		Amount: &pb.Money{AmountMinor: 500, Currency: "USD"}})
	w.Must(err, "a bid")
	_, err = w.client.Bids.UpdateBid(other.In(ctx), &pb.UpdateBidRequest{BidId: bid.Bid.BidId, Amount: &pb.Money{AmountMinor: 400, Currency: "USD"}})
	w.Must(err, "a second price")
	booking, err := w.client.Bookings.CreateBooking(w.owner.In(ctx), &pb.CreateBookingRequest{ServiceId: offered, FullName: "Owner", Notes: "Ring twice"})
	w.Must(err, "a booking")
	room, err := w.client.Chat.OpenDirectRoom(w.owner.In(ctx), &pb.OpenDirectRoomRequest{TargetUserId: other.ID})
	w.Must(err, "a room")
	message, err := w.client.Chat.SendMessage(w.owner.In(ctx), &pb.SendMessageRequest{RoomId: room.Room.RoomId, Content: "Not for others"})
	w.Must(err, "a message")
	var notification string
	w.Must(w.cluster.Database.SQL().QueryRow(ctx, "select notification_id::text from notification where recipient_id = $1 and bid_id = $2",
		w.owner.ID, bid.Bid.BidId).Scan(&notification), "a notification")
	return deal{"bid": bid.Bid.BidId, "booking": booking.Booking.BookingId, "room": room.Room.RoomId,
		"message": message.Message.MessageId, "notification": notification}, needed
}

// ---- Canaries: a text of its own in every private column of the owner's rows.

// What anybody may see of people, and of services while they are listed.
var publicColumns = map[string]bool{
	"account.full_name": true, "profile.avatar_url": true, "profile.bio": true, "profile.location": true,
	"profile.city": true, "profile.country": true, "profile.profession": true,
	"provider_profile.business_name": true, "provider_profile.business_description": true,
}

// A condition for the rows (as text) of the owner that concern the friend too, or
// do not.
func (w *accessWorld) ownersRows(areShared bool) string {
	own, shared := []string{w.owner.ID}, []string{w.friend.ID}
	for _, id := range w.private {
		own = append(own, id)
	}
	for _, id := range w.shared {
		own, shared = append(own, id), append(shared, id)
	}
	not := "not "
	if areShared {
		not = ""
	}
	return fmt.Sprintf("t::text ~ '%s' and %st::text ~ '%s'", strings.Join(own, "|"), not, strings.Join(shared, "|"))
}

// A column that takes no free text, because of a constraint, keeps what it has.
func (w *accessWorld) hideCanaries() {
	rows, err := w.cluster.Database.SQL().Query(w.Context(), `
select c.table_name, c.column_name, c.data_type = 'jsonb'
  from information_schema.columns c
  join information_schema.tables t using (table_schema, table_name)
 where table_schema = 'public' and t.table_type = 'BASE TABLE' and c.is_generated = 'NEVER'
   and (c.data_type in ('text', 'character varying', 'jsonb') or c.udt_name = 'citext')
 order by 1, 2`)
	w.Must(err, "columns")
	var tables, columns []string
	var areJSON []bool
	for rows.Next() {
		var table, column string
		var isJSON bool
		w.Must(rows.Scan(&table, &column, &isJSON), "a column")
		tables, columns, areJSON = append(tables, table), append(columns, column), append(areJSON, isJSON)
	}
	w.Must(rows.Err(), "columns")
	for i := range tables {
		if !publicColumns[tables[i]+"."+columns[i]] {
			w.hideIn(tables[i], columns[i], areJSON[i])
		}
	}
	w.cluster.Database.Exec("update account set phone = $1 where user_id = $2", w.phone, w.owner.ID)
	w.cluster.Database.Exec("update service set location_text = $1 where service_id = $2", w.tag+"-signed-service-location_text", w.offer)
}

func (w *accessWorld) hideIn(table, column string, isJSON bool) {
	changed := int64(0)
	for _, areShared := range []bool{false, true} {
		word := map[bool]string{false: "private", true: "shared"}[areShared]
		value := fmt.Sprintf("'%s-%s-%s-%s' || ctid::text", w.tag, word, table, column)
		if isJSON {
			value = fmt.Sprintf("jsonb_build_object('note', %s)", value)
		}
		where := w.ownersRows(areShared)
		if table == "service" {
			where += " and not is_listed"
		}
		done, err := w.cluster.Database.SQL().Exec(w.Context(),
			fmt.Sprintf(`update "%s" t set "%s" = %s where %s`, table, column, value, where))
		if err == nil {
			changed += done.RowsAffected()
		}
	}
	if changed > 0 {
		w.columns++
	}
}

// What of the owner's is in a text: "private-account-email".
func (w *accessWorld) canariesIn(text string) []string {
	found := regexp.MustCompile(w.tag+`-(\w+-\w+-\w+)`).FindAllStringSubmatch(text, -1)
	canaries := make([]string, 0, len(found))
	for _, one := range found {
		canaries = append(canaries, one[1])
	}
	if strings.Contains(text, w.phone) {
		canaries = append(canaries, "private-account-phone")
	}
	return canaries
}

// A hash of the rows of each table that are the owner's and not the friend's.
func (w *accessWorld) hashes() map[string]string {
	rows, err := w.cluster.Database.SQL().Query(w.Context(), "select tablename::text from pg_tables where schemaname = 'public'")
	w.Must(err, "tables")
	hashes := map[string]string{}
	for rows.Next() {
		var table string
		w.Must(rows.Scan(&table), "a table")
		hashes[table] = ""
	}
	w.Must(rows.Err(), "tables")
	for table := range hashes {
		var hash string
		err := w.cluster.Database.SQL().QueryRow(w.Context(), fmt.Sprintf(
			`select count(*) || ' rows, ' || md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from "%s" t where %s`,
			table, w.ownersRows(false))).Scan(&hash)
		w.Must(err, "the rows of %s", table)
		hashes[table] = hash
	}
	return hashes
}

// ---- A service of ours, by its certificate.

func makeAuthority(t *rig.Trial) (file string, certificate tls.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	t.Must(err, "a key")
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authority, err := x509.CreateCertificate(crand.Reader, template, template, &key.PublicKey, key)
	t.Must(err, "an authority")
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "billing.test"}, DNSNames: []string{"billing.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	signed, err := x509.CreateCertificate(crand.Reader, leaf, template, &key.PublicKey, key)
	t.Must(err, "a service's certificate")
	file = t.Folder("authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority})
	t.Must(os.WriteFile(file, text, 0o644), "an authority's file")
	return file, tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}
}

func (w *accessWorld) showing(certificate tls.Certificate) credentials.TransportCredentials {
	text, err := os.ReadFile(filepath.Join(w.cluster.DataFolder(), "tls", "cert.pem"))
	w.Must(err, "the server's certificate")
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "localhost", Certificates: []tls.Certificate{certificate}})
}
