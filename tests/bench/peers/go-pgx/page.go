package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

const (
	tokenVersion = 1
	macBytes     = 16
	keysOffset   = 1 + macBytes
	pageSizeMax  = 100
)

// Signs page tokens: version (1) | MAC (16) | length (1), key ... The MAC covers
// the keys and what the token belongs to.
type pages struct{ secret []byte }

func newPages() *pages {
	secret := make([]byte, 32)
	rand.Read(secret)
	return &pages{secret}
}

// A page of a list.
type page struct {
	pages   *pages
	size    int
	keys    []string // of the token; none for the first page
	binding [sha256.Size]byte
}

// The caller and the request without its page, encoded: a token of another list
// does not fit. `filters` is a request without page_size, page_token and
// read_mask.
func (p *pages) open(c caller, filters proto.Message, size int32, sizeDefault int, token string) (*page, error) {
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(filters)
	if err != nil {
		return nil, err
	}
	name := string(filters.ProtoReflect().Descriptor().FullName())
	opened := &page{
		pages:   p,
		size:    min(int(size), pageSizeMax),
		binding: sha256.Sum256(append([]byte(name+"\x00"+c.id+"\x00"), bytes...)),
	}
	if opened.size <= 0 {
		opened.size = sizeDefault
	}
	if token != "" && !opened.read(token) {
		const description = "is not the token of a page of this list; start again without one"
		return nil, withDetails(codes.InvalidArgument, "page_token: "+description,
			violation("page_token", description))
	}
	return opened, nil
}

func (p *page) mac(token []byte) []byte {
	hash := hmac.New(sha256.New, p.pages.secret)
	hash.Write(token[:1])
	hash.Write(p.binding[:])
	hash.Write(token[keysOffset:])
	return hash.Sum(nil)[:macBytes]
}

func (p *page) read(text string) bool {
	token, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(token) <= keysOffset || token[0] != tokenVersion ||
		!hmac.Equal(p.mac(token), token[1:keysOffset]) {
		return false
	}
	for rest := token[keysOffset:]; len(rest) > 0; {
		end := 1 + int(rest[0])
		p.keys = append(p.keys, string(rest[1:end]))
		rest = rest[end:]
	}
	return true
}

// The token of the page behind the row with these keys.
func (p *page) next(keys ...string) string {
	token := make([]byte, keysOffset, 128)
	token[0] = tokenVersion
	for _, key := range keys {
		token = append(append(token, byte(len(key))), key...)
	}
	copy(token[1:], p.mac(token))
	return base64.RawURLEncoding.EncodeToString(token)
}
