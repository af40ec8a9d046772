package rig

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Balancer is an HAProxy in front of a cluster's servers: HTTP/2 on both sides,
// and whoever says by /readyz that it is not ready gets no new calls.
type Balancer struct {
	Address string

	cluster *Cluster
	control string // the socket that answers what it knows of the servers
}

// Servers are asked five times a second. A call that no server has taken is given
// to another one (retry-on); what has reached one is never sent twice.
const balancerSettings = `
global
    stats socket %s mode 600 level admin
    tune.h2.max-concurrent-streams 1000
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout check 5s
    retries 3
    option redispatch
    retry-on conn-failure
frontend clients
    bind %s proto h2
    default_backend servers
backend servers
    balance leastconn
    option httpchk GET /readyz
    http-check expect status 200
`

// Balancer starts one and waits until it sees all servers.
func (c *Cluster) Balancer() *Balancer {
	t := c.trial
	port, err := FreePort()
	t.Must(err, "a port")
	b := &Balancer{Address: fmt.Sprintf("127.0.0.1:%d", port), cluster: c, control: t.Folder("haproxy.sock")}
	text := fmt.Sprintf(balancerSettings, b.control, b.Address)
	for _, server := range c.Servers {
		_, edge, _ := net.SplitHostPort(server.Edge)
		text += fmt.Sprintf("    server prbald-%d %s proto h2 check port %s check-proto h1 inter 200ms fall 1 rise 1\n",
			server.number, server.Address, edge)
	}
	settings := t.Folder("haproxy.cfg")
	t.Must(os.WriteFile(settings, []byte(text), 0o600), "settings of HAProxy")
	process, err := startProcess(exec.Command("haproxy", "-db", "-f", settings), t.Log("haproxy"))
	t.Must(err, "HAProxy")
	t.Cleanup(func() { process.system.Kill() })
	for _, server := range c.Servers {
		t.Must(b.Await(server, true), "HAProxy")
	}
	return b
}

// Await waits until the balancer has seen that a server takes calls, or that it
// does not any more.
func (b *Balancer) Await(server *Server, isUp bool) error {
	deadline := time.Now().Add(startPatience)
	for {
		status, err := b.status(server)
		if err == nil && strings.HasPrefix(status, "UP") == isUp {
			return nil
		}
		if time.Now().After(deadline) || b.cluster.trial.Context().Err() != nil {
			return fmt.Errorf("for HAProxy server %d is %q: %w", server.number, status, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A line of "show stat": backend, server, ..., and the status as 18th field.
func (b *Balancer) status(server *Server) (string, error) {
	link, err := net.Dial("unix", b.control)
	if err != nil {
		return "", err
	}
	defer link.Close()
	fmt.Fprintln(link, "show stat")
	name := fmt.Sprintf("servers,prbald-%d,", server.number)
	for lines := bufio.NewScanner(link); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ","); strings.HasPrefix(lines.Text(), name) && len(fields) > 17 {
			return fields[17], nil
		}
	}
	return "", fmt.Errorf("HAProxy does not name %s", name)
}
