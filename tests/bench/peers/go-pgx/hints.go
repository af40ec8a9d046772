package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	hintEvery = 20 * time.Millisecond
	hintsMax  = 1000
	hintBytes = 7900 // PostgreSQL takes 7,999
)

// Tells the other processes which logs have grown: "PROCESS ID ID ...", or
// "PROCESS *" when there are too many to name.
type hints struct {
	pool    *pgxpool.Pool
	process string
	users   chan string
}

func newHints(pool *pgxpool.Pool) *hints {
	random := make([]byte, 8)
	rand.Read(random)
	h := &hints{pool, hex.EncodeToString(random), make(chan string, hintsMax)}
	go h.run()
	return h
}

func (h *hints) add(users []string) {
	for _, user := range users {
		select {
		case h.users <- user:
		default: // they are looked at every so often, too
		}
	}
}

func (h *hints) run() {
	for first := range h.users {
		time.Sleep(hintEvery)
		named := map[string]bool{first: true}
		for range len(h.users) {
			named[<-h.users] = true
		}
		_, _ = h.pool.Exec(context.Background(), "select pg_notify('prbal_event', $1)", h.text(named))
	}
}

func (h *hints) text(named map[string]bool) string {
	var text strings.Builder
	text.WriteString(h.process)
	for user := range named {
		text.WriteByte(' ')
		text.WriteString(user)
	}
	if text.Len() > hintBytes {
		return h.process + " *"
	}
	return text.String()
}
