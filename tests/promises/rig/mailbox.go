package rig

import (
	"encoding/base64"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// Mail is one that the servers have sent.
type Mail struct {
	To, Subject, Text string
}

// Mails are all of them, the oldest first.
func (c *Cluster) Mails() []Mail {
	paths, _ := filepath.Glob(filepath.Join(c.folder, "outbox", "*.eml"))
	sort.Strings(paths) // their names sort by time
	mails := make([]Mail, 0, len(paths))
	for _, path := range paths {
		one, err := readMail(path)
		c.trial.Expect(err == nil, "%s: %v", path, err)
		mails = append(mails, one)
	}
	return mails
}

func readMail(path string) (Mail, error) {
	file, err := os.Open(path)
	if err != nil {
		return Mail{}, err
	}
	defer file.Close()
	message, err := mail.ReadMessage(file)
	if err != nil {
		return Mail{}, err
	}
	body, err := io.ReadAll(message.Body)
	if err != nil {
		return Mail{}, err
	}
	text, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(body), "\r\n", ""))
	return Mail{message.Header.Get("To"), message.Header.Get("Subject"), string(text)}, err
}

var codeText = regexp.MustCompile(`Your code is ([0-9]{6})\.`)

// Code is the one-time code in a mail, "" when it has none.
func (m Mail) Code() string {
	if found := codeText.FindStringSubmatch(m.Text); found != nil {
		return found[1]
	}
	return ""
}
