package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
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
	// The data folder is a file system of so many MB; for who may mount one.
	DiskMB int
	// Of a database that the promise has started by itself.
	DatabaseURL string
	// Streaming standbys that answer reads, by how much later they replay.
	Standbys []time.Duration
	// Of prbald: "event_retention": "10m". The limits of single methods are off
	// unless "rate_methods" is "true", and so is the admission of calls that would
	// wait too long, unless "admission_delay" is "100ms": a machine that runs tests
	// is slow again and again.
	Settings map[string]string
	// Of prbald's environment, besides: "LD_PRELOAD=..."
	Environment []string
	// Of PostgreSQL, besides those that every trial has: "shared_buffers=1GB"
	Postgres []string
}

// Cluster is one installation: a database, and servers that share it and the
// keys of a data folder.
type Cluster struct {
	Database *Postgres
	Servers  []*Server
	Standbys []*Postgres

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
	t.Must(c.mountDisk(), "a file system for the data folder")
	c.Database = &Postgres{home: filepath.Join(c.folder, "pg"), log: t.Log("postgresql"), trial: t,
		own: !setup.Private && setup.DatabaseURL == "", elsewhere: setup.DatabaseURL}
	for _, setting := range setup.Postgres {
		c.Database.options = append(c.Database.options, "-c", setting)
	}
	if setup.DatabaseURL == "" {
		t.Must(copyTemplate(c.prbald, c.folder), "a database")
	}
	t.Cleanup(c.Database.end)
	if c.Database.own {
		t.Must(c.Database.Start(), "PostgreSQL")
	}
	for number, delay := range setup.Standbys {
		c.startStandby(number, delay)
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

// Command runs `prbald ARGUMENTS...` with the settings of the cluster, and
// answers what it says.
func (c *Cluster) Command(arguments ...string) (string, error) {
	return c.CommandIn(c.folder, arguments...)
}

// CommandIn does so in another data folder.
func (c *Cluster) CommandIn(folder string, arguments ...string) (string, error) {
	command := exec.CommandContext(c.trial.Context(), c.prbald, arguments...)
	command.Env = append(c.Servers[0].environment(), "PRBAL_DATA="+folder)
	output, err := command.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("prbald %s: %w\n%s", strings.Join(arguments, " "), err, output)
	}
	return string(output), err
}

func (p *Postgres) end() {
	if p.pool != nil {
		p.pool.Close()
	}
	if p.own {
		p.Kill()
	}
}
