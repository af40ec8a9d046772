package rig

import (
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Promise is a sentence of docs/promises.md and the function that tries to break it.
type Promise struct {
	ID    string // "P1"
	Title string // "no provider is booked twice"
	Run   func(t *Trial)
	Named bool // only when it is named: it needs more than a test run has
}

var promises []Promise

var promiseID = regexp.MustCompile(`^P[1-9][0-9]?$`)

// Register adds a promise; called from init().
func Register(id, title string, run func(t *Trial)) {
	if !promiseID.MatchString(id) {
		panic("not the number of a promise: " + id)
	}
	promises = append(promises, Promise{ID: id, Title: title, Run: run})
}

// RegisterByName adds one that is tried only when it is named.
func RegisterByName(id, title string, run func(t *Trial)) {
	Register(id, title, run)
	promises[len(promises)-1].Named = true
}

func (p Promise) number() int {
	number, _ := strconv.Atoi(p.ID[1:])
	return number
}

// All promises in order but for those that have to be named, or those that are.
func choose(names []string) ([]Promise, error) {
	sort.Slice(promises, func(i, j int) bool { return promises[i].number() < promises[j].number() })
	var chosen []Promise
	for _, promise := range promises {
		if len(names) == 0 && !promise.Named {
			chosen = append(chosen, promise)
		}
	}
	for _, name := range names {
		promise, err := find(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, promise)
	}
	return chosen, nil
}

func find(name string) (Promise, error) {
	for _, promise := range promises {
		if strings.EqualFold(promise.ID, name) {
			return promise, nil
		}
	}
	return Promise{}, fmt.Errorf("there is no promise %q; --list names them", name)
}
