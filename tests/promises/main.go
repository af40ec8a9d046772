// The promises of docs/promises.md, against a real prbald and a real PostgreSQL.
//
// A promise is a file pNN_short_name.go that registers itself; all that it needs
// to start servers and break them is in rig/.
package main

import (
	"os"

	"prbal.test/promises/rig"
)

func main() {
	os.Exit(rig.Main(os.Args[1:]))
}
