package main

import (
	"strconv"

	"prbal.test/promises/rig"
)

// The ids of tests/bench/seed/ids.sql, by number from 1 on.

func serviceID(number int) string { return seedID("5e000000", number) }
func postID(number int) string    { return seedID("b0000000", number) }
func bidID(number int) string     { return seedID("b1000000", number) }
func roomID(number int) string    { return seedID("c0000000", number) }

func personID(kind rig.Kind, number int) string {
	if kind == rig.Provider {
		return seedID("a2000000", number)
	}
	return seedID("a1000000", number)
}

func itoa(number int) string { return strconv.Itoa(number) }
