package rig

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// startStandby makes a streaming standby of the cluster's database and starts it;
// what it has received it replays so much later.
func (c *Cluster) startStandby(number int, delay time.Duration) {
	t := c.trial
	name := fmt.Sprintf("standby-%d", number)
	s := &Postgres{home: t.Folder(name), log: t.Log(name), trial: t, own: true,
		options: []string{"-c", fmt.Sprintf("recovery_min_apply_delay=%dms", delay.Milliseconds())}}
	t.Must(makeHome(s.home), "a folder for %s", name)
	copy, err := postgresCommand("pg_basebackup", "--dbname", c.Database.URL(),
		"--pgdata", filepath.Join(s.home, "data"), "--write-recovery-conf", "--no-sync",
		"--checkpoint=fast", "--wal-method=stream")
	t.Must(err, "pg_basebackup")
	t.Must(quietly(copy), "%s", name)
	t.Cleanup(s.end)
	t.Must(s.Start(), "%s", name)
	c.Standbys = append(c.Standbys, s)
}

// For PRBAL_REPLICA_URL.
func (c *Cluster) standbyURLs() string {
	urls := make([]string, len(c.Standbys))
	for i, standby := range c.Standbys {
		urls[i] = standby.URL()
	}
	return strings.Join(urls, ";")
}

// Figure adds up a counter of /metrics over the servers that run: the lines that
// begin with this.
func (c *Cluster) Figure(line string) int {
	total := 0.0
	for _, server := range c.Servers {
		for _, text := range strings.Split(server.metrics(), "\n") {
			var value float64
			if strings.HasPrefix(text, line) {
				fmt.Sscan(text[strings.LastIndexByte(text, ' ')+1:], &value)
				total += value
			}
		}
	}
	return int(total)
}
