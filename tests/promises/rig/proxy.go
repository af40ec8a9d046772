package rig

import (
	"net"
	"sync"
	"time"
)

// Rule is what a proxy does to the bytes of a connection; the zero value passes
// them on.
type Rule struct {
	Delay          time.Duration // of each piece, in each direction
	BytesPerSecond int           // in each direction; 0 is no bound
	BlackHole      bool          // nothing passes, nothing is closed, until the next rule
}

// Proxy stands between clients and a server and breaks connections.
type Proxy struct {
	Address string

	listener net.Listener
	mutex    sync.Mutex
	target   string
	rule     Rule // of new connections
	refuses  bool
	links    map[*Link]bool
}

// Link is one connection through a proxy.
type Link struct {
	client, server net.Conn
	mutex          sync.Mutex
	changed        *sync.Cond
	rule           Rule
	closed         bool
}

// Proxy listens on a port of its own until the trial ends.
func (t *Trial) Proxy(target string) *Proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	t.Must(err, "a proxy")
	p := &Proxy{Address: listener.Addr().String(), listener: listener, target: target, links: map[*Link]bool{}}
	t.Cleanup(p.close)
	go p.accept()
	return p
}

func (p *Proxy) close() {
	p.listener.Close()
	p.Cut()
}

// Turn sends new connections to another server.
func (p *Proxy) Turn(target string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.target = target
}

// Refuse resets new connections at once, or takes them again.
func (p *Proxy) Refuse(refuses bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.refuses = refuses
}

// Set is the rule of all connections, those to come included.
func (p *Proxy) Set(rule Rule) {
	p.mutex.Lock()
	p.rule = rule
	p.mutex.Unlock()
	for _, link := range p.Links() {
		link.Set(rule)
	}
}

// Links are the connections that are open.
func (p *Proxy) Links() []*Link {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	links := make([]*Link, 0, len(p.links))
	for link := range p.links {
		links = append(links, link)
	}
	return links
}

// Cut resets all connections, on both sides.
func (p *Proxy) Cut() {
	for _, link := range p.Links() {
		link.Cut()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(client)
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mutex.Lock()
	target, rule, refuses := p.target, p.rule, p.refuses
	p.mutex.Unlock()
	if refuses {
		reset(client)
		return
	}
	server, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		reset(client)
		return
	}
	link := &Link{client: client, server: server, rule: rule}
	link.changed = sync.NewCond(&link.mutex)
	p.mutex.Lock()
	p.links[link] = true
	p.mutex.Unlock()
	var both sync.WaitGroup
	both.Add(2)
	go link.pump(client, server, &both)
	go link.pump(server, client, &both)
	both.Wait()
	p.mutex.Lock()
	delete(p.links, link)
	p.mutex.Unlock()
}

// Set changes what happens to this connection from now on.
func (l *Link) Set(rule Rule) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.rule = rule
	l.changed.Broadcast()
}

// Cut resets both sides.
func (l *Link) Cut() {
	l.mutex.Lock()
	l.closed = true
	l.changed.Broadcast()
	l.mutex.Unlock()
	reset(l.client)
	reset(l.server)
}

// HalfOpen resets the client's side; the server's stays open and is silent, like
// a client whose network has gone.
func (l *Link) HalfOpen() {
	l.Set(Rule{BlackHole: true})
	reset(l.client)
}

func reset(connection net.Conn) {
	if tcp, ok := connection.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	connection.Close()
}

// Waits while nothing may pass; false when the connection is over.
func (l *Link) current() (Rule, bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for l.rule.BlackHole && !l.closed {
		l.changed.Wait()
	}
	return l.rule, !l.closed
}

type piece struct {
	bytes []byte
	due   time.Time
}

// Reading goes on while pieces wait for their time, so that a delay costs no
// throughput.
func (l *Link) pump(from, to net.Conn, both *sync.WaitGroup) {
	defer both.Done()
	pieces := make(chan piece, 256)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 16<<10)
			count, err := from.Read(buffer)
			rule, open := l.current()
			if count > 0 && open {
				pieces <- piece{buffer[:count], time.Now().Add(rule.Delay)}
			}
			if err != nil || !open {
				return
			}
		}
	}()
	for next := range pieces {
		time.Sleep(time.Until(next.due))
		rule, open := l.current()
		if rule.BytesPerSecond > 0 {
			time.Sleep(time.Duration(len(next.bytes)) * time.Second / time.Duration(rule.BytesPerSecond))
		}
		if open {
			to.Write(next.bytes)
		}
	}
	if _, open := l.current(); open {
		if tcp, ok := to.(*net.TCPConn); ok {
			tcp.CloseWrite()
		}
	}
}
