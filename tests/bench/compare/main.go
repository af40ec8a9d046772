// The bench: Prbal next to what people would use instead. A part is a file that
// registers itself; what they have in common is in kit/.
package main

import (
	"os"

	"prbal.test/bench/kit"
)

func main() {
	os.Exit(kit.Main(os.Args[1:]))
}
