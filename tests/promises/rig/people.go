package rig

import (
	"context"
	"crypto/ecdsa"
	crand "crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/metadata"
)

// Password of every person that the rig has made, for who signs in by Login.
const Password = "Quince-jam-77"

// Argon2id of it: hundreds of people would cost minutes of processor by Register.
const passwordHash = "$argon2id$v=19$m=19456,t=2,p=1$cHJvbWlzZXMtb2YtdGVzdA$plPi5PvDYwdXAH1b8liau1MdtjGjiAfHHEIV4ZMDSWU"

// Kind is an account's user type, or one that is less than that.
type Kind string

const (
	Seeker   Kind = "SEEKER"
	Provider Kind = "PROVIDER"
	Both     Kind = "BOTH"
	Learner  Kind = "LEARNER"
	Admin    Kind = "ADMIN"   // a superuser
	Staff    Kind = "STAFF"   // an administrator who is none
	Pending  Kind = "PENDING" // a seeker without a verified address
)

func (k Kind) userType() Kind {
	switch k {
	case Staff:
		return Admin
	case Pending:
		return Seeker
	}
	return k
}

func (k Kind) adminLevel() string {
	switch k {
	case Admin:
		return "SUPERUSER"
	case Staff:
		return "STAFF"
	}
	return "NONE"
}

// The bits of prbal.Role in a token of an active account (services/auth/token.c).
var rolesOf = map[Kind]int{
	Seeker:   1<<3 | 1<<4 | 1<<5,
	Provider: 1<<3 | 1<<4 | 1<<6,
	Both:     1<<3 | 1<<4 | 1<<5 | 1<<6,
	Learner:  1<<3 | 1<<4 | 1<<7,
	Admin:    1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<9,
	Staff:    1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8,
	Pending:  1 << 3,
}

// Roles are the bits of prbal.Role that such a person's token has.
func (k Kind) Roles() int { return rolesOf[k] }

// Person is an account, signed in for a day; active and with a verified address
// unless it is Pending.
type Person struct {
	ID      string
	Email   string
	Name    string
	Kind    Kind
	Session string
	Token   string
}

func newPerson(name string, kind Kind) *Person {
	return &Person{ID: NewID(), Session: NewID(), Kind: kind, Name: name, Email: name + "@promises.test"}
}

// NewID is a UUIDv7.
func NewID() string {
	var b [16]byte
	crand.Read(b[:])
	now := time.Now().UnixMilli()
	for i := range 6 {
		b[i] = byte(now >> (40 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// In is the context of a call by this person.
func (p *Person) In(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+p.Token)
}

// People makes accounts with their sessions by SQL, and tokens with the server's
// own key: no call is spent on them, and no password is hashed. They are what
// Register, VerifyEmailOtp and Login would have made.
func (c *Cluster) People(count int, kind Kind) []*Person {
	people := make([]*Person, count)
	first := c.Database.Number("select count(*) from account")
	for i := range people {
		people[i] = newPerson(fmt.Sprintf("%s%d", strings.ToLower(string(kind[:2])), first+i), kind)
	}
	link, err := c.Database.SQL().Acquire(c.trial.Context())
	c.trial.Must(err, "a link to PostgreSQL")
	defer link.Release()
	c.trial.Must(insertAccounts(c.trial.Context(), link.Conn(), people), "accounts")
	for _, person := range people {
		person.Token, err = c.keys.sign(person, 24*time.Hour)
		c.trial.Must(err, "a token")
	}
	return people
}

// Known is somebody who is in the database already, signed in for a day; of name,
// address and session nothing is known here.
func (c *Cluster) Known(id string, kind Kind) *Person {
	person := &Person{ID: id, Session: NewID(), Kind: kind}
	var err error
	person.Token, err = c.keys.sign(person, 24*time.Hour)
	c.trial.Must(err, "a token")
	return person
}

// Person makes one.
func (c *Cluster) Person(kind Kind) *Person {
	return c.People(1, kind)[0]
}

const insertAccount = `
with a as (
  insert into account (user_id, email, password_hash, first_name, full_name, user_type, admin_level,
                       account_status, is_email_verified)
  values ($1, $2, $3, $4, $4, $5, $7, case when $8 then 'ACTIVE' else 'INACTIVE' end, $8)
  returning user_id, user_type
), p as (
  insert into profile (user_id) select user_id from a
), q as (
  insert into provider_profile (user_id) select user_id from a where user_type in ('PROVIDER', 'BOTH')
), r as (
  insert into user_preference (user_id) select user_id from a
)
insert into session (session_id, user_id, refresh_hash, expires_at)
select $6::uuid, user_id, sha256(user_id::text::bytea), now() + interval '1 day' from a`

func insertAccounts(ctx context.Context, link *pgx.Conn, people []*Person) error {
	var batch pgx.Batch
	for _, p := range people {
		batch.Queue(insertAccount, p.ID, p.Email, passwordHash, p.Name, string(p.Kind.userType()), p.Session,
			p.Kind.adminLevel(), p.Kind != Pending)
	}
	return link.SendBatch(ctx, &batch).Close()
}

// NewToken is the token of somebody who has no account, signed with the key in a
// folder that a server has made.
func NewToken(keys string, kind Kind, lifetime time.Duration) (string, error) {
	key, err := readSigningKey(filepath.Join(keys, "token.pem"))
	if err != nil {
		return "", err
	}
	return key.sign(newPerson("somebody", kind), lifetime)
}

// PublicKey is a PEM file for who verifies the tokens of the installation.
func (c *Cluster) PublicKey() string {
	path := c.trial.Folder("token.public.pem")
	encoded, err := x509.MarshalPKIXPublicKey(&c.keys.key.PublicKey)
	if err == nil {
		err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded}), 0o644)
	}
	c.trial.Must(err, "the public key")
	return path
}

// Signs tokens as the servers of the installation do (services/auth/token.h).
type signingKey struct {
	key    *ecdsa.PrivateKey
	header string
}

func readSigningKey(path string) (*signingKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM file", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if parsed, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
			return nil, err
		}
	}
	key := parsed.(*ecdsa.PrivateKey)
	public := fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`,
		encode(key.X.FillBytes(make([]byte, 32))), encode(key.Y.FillBytes(make([]byte, 32))))
	thumbprint := sha256.Sum256([]byte(public)) // RFC 7638
	header := fmt.Sprintf(`{"alg":"ES256","kid":"%s","typ":"JWT"}`, encode(thumbprint[:]))
	return &signingKey{key, encode([]byte(header))}, nil
}

func encode(bytes []byte) string {
	return base64.RawURLEncoding.EncodeToString(bytes)
}

func (k *signingKey) sign(person *Person, lifetime time.Duration) (string, error) {
	now := time.Now().Unix()
	scope := "full"
	if person.Kind == Pending {
		scope = "pending"
	}
	claims, err := json.Marshal(map[string]any{
		"iss": "prbal", "aud": "prbal.v1", "typ": "access", "scope": scope,
		"sub": person.ID, "sid": person.Session, "ut": person.Kind.userType(), "caps": rolesOf[person.Kind],
		"iat": now, "nbf": now, "exp": now + int64(lifetime.Seconds()),
	})
	if err != nil {
		return "", err
	}
	text := k.header + "." + encode(claims)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(crand.Reader, k.key, digest[:])
	if err != nil {
		return "", err
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return text + "." + encode(signature), nil
}
