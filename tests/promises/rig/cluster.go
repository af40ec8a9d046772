package rig

import (
	"os"
	"path/filepath"
	"sync"
)

// Build says which prbald: with the sanitizers, for what must be right, or the
// optimised one, for what must be fast.
type Build string

const (
	Sanitized Build = "dev"
	Release   Build = "release"
)

// Setup of a cluster; the zero value is one sanitized server on clear text.
type Setup struct {
	Servers int   // 1 when 0
	Build   Build // Sanitized when empty
	TLS     bool
	// prbald runs its own PostgreSQL, as it does without settings; for one server.
	Private bool
	// Of prbald: "event_retention": "10m". The limits of single methods are off
	// unless "rate_methods" is "true".
	Settings map[string]string
}

// Cluster is one installation: a database, and servers that share it and the
// keys of a data folder.
type Cluster struct {
	Database *Postgres
	Servers  []*Server

	trial  *Trial
	setup  Setup
	folder string // the data folder
	prbald string
	keys   *signingKey

	once        sync.Once
	anyCategory string
}

// Cluster starts an installation and ends it with the trial. A server that ends
// by itself, or that a sanitizer complains about, breaks the promise.
func (t *Trial) Cluster(setup Setup) *Cluster {
	if setup.Servers == 0 {
		setup.Servers = 1
	}
	if setup.Build == "" {
		setup.Build = Sanitized
	}
	c := &Cluster{trial: t, setup: setup, prbald: filepath.Join(t.root, "build", string(setup.Build), "prbald")}
	c.folder = t.Folder("data")
	t.Must(os.Mkdir(c.folder, 0o711), "data folder")
	t.Must(copyTemplate(c.prbald, c.folder), "a database")
	c.Database = &Postgres{home: filepath.Join(c.folder, "pg"), log: t.Log("postgresql"), own: !setup.Private, trial: t}
	t.Cleanup(c.Database.end)
	if c.Database.own {
		t.Must(c.Database.Start(), "PostgreSQL")
	}
	for number := range setup.Servers {
		server := c.newServer(number)
		c.Servers = append(c.Servers, server)
		t.Cleanup(server.end)
		t.Must(server.Start(), "server %d", number)
	}
	var err error
	c.keys, err = readSigningKey(filepath.Join(c.folder, "keys", "token.pem"))
	t.Must(err, "the server's key")
	return c
}

// DataFolder is where keys, certificate and mail are.
func (c *Cluster) DataFolder() string {
	return c.folder
}

func (p *Postgres) end() {
	if p.pool != nil {
		p.pool.Close()
	}
	if p.own {
		p.Kill()
	}
}
