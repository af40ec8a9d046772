package drive

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// A connection of HTTP/1.1 that is kept: one call after the other.
type restLink struct {
	socket net.Conn
	reader *bufio.Reader
	tail   string // of each request, after its path
}

func dialREST(target Target, token string) (*restLink, error) {
	socket, err := net.Dial("tcp", target.Address)
	if err != nil {
		return nil, err
	}
	tail := " HTTP/1.1\r\nhost: " + target.Address + "\r\naccept: application/json\r\nuser-agent: rest-bench/1.0\r\n"
	if token != "" {
		tail += "authorization: Bearer " + token + "\r\n"
	}
	return &restLink{socket, bufio.NewReaderSize(socket, 16<<10), tail + "\r\n"}, nil
}

func (l *restLink) close() {
	l.socket.Close()
}

func (l *restLink) closed(work *work) (times []time.Duration, err error) {
	for now := time.Now(); ; {
		request, isMore := work.take(now)
		if !isMore {
			return times, nil
		}
		if err = l.call(request.Path); err != nil {
			return nil, err
		}
		begin := now
		now = time.Now()
		times = append(times, now.Sub(begin))
	}
}

func (l *restLink) call(path string) error {
	l.socket.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(l.socket, "GET "+path+l.tail); err != nil {
		return err
	}
	answer, err := http.ReadResponse(l.reader, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	size, err := io.Copy(io.Discard, answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || size == 0 || answer.Close) {
		err = fmt.Errorf("%s of %s, %d bytes, closes: %v", answer.Status, path, size, answer.Close)
	}
	return err
}
