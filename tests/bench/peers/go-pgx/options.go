package main

import (
	"errors"
	"fmt"
	"strconv"
)

// What the command line says.
type options struct {
	listen   string
	cert     string
	key      string
	threads  int
	database string
	tokenKey string
}

func parseOptions(args []string) (options, error) {
	o := options{threads: 1}
	for len(args) > 0 {
		taken, err := o.take(args[0], args[1:])
		if err != nil {
			return o, err
		}
		args = args[1+taken:]
	}
	if o.listen == "" || o.database == "" || o.tokenKey == "" {
		return o, errors.New("usage: serve --listen ADDRESS --database URL --token-key PEM [--tls CERT KEY] [--threads N]")
	}
	return o, nil
}

// Returns how many of the values belong to the option.
func (o *options) take(name string, values []string) (int, error) {
	want := 1
	if name == "--tls" {
		want = 2
	}
	if len(values) < want {
		return 0, fmt.Errorf("%s: a value is missing", name)
	}
	var err error
	switch name {
	case "--listen":
		o.listen = values[0]
	case "--tls":
		o.cert, o.key = values[0], values[1]
	case "--threads":
		o.threads, err = strconv.Atoi(values[0])
	case "--database":
		o.database = values[0]
	case "--token-key":
		o.tokenKey = values[0]
	default:
		err = fmt.Errorf("unknown option %s", name)
	}
	return want, err
}
