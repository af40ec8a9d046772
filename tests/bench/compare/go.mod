module prbal.test/bench

go 1.23.0

// Made from proto/ by scripts/go-stubs.
replace prbal.test/api => ../../../build/promises/api

replace prbal.test/promises => ../../promises

require (
	github.com/jackc/pgx/v5 v5.7.5
	golang.org/x/net v0.41.0
	golang.org/x/sys v0.33.0
	gonum.org/v1/plot v0.16.0
	google.golang.org/grpc v1.75.1
	google.golang.org/protobuf v1.36.10
	prbal.test/api v0.0.0
	prbal.test/promises v0.0.0-00010101000000-000000000000
)

require (
	codeberg.org/go-fonts/liberation v0.5.0 // indirect
	codeberg.org/go-latex/latex v0.1.0 // indirect
	codeberg.org/go-pdf/fpdf v0.10.0 // indirect
	git.sr.ht/~sbinet/gg v0.6.0 // indirect
	github.com/ajstarks/svgo v0.0.0-20211024235047-1546f124cd8b // indirect
	github.com/campoy/embedmd v1.0.0 // indirect
	github.com/golang/freetype v0.0.0-20170609003504-e2365dfdc4a0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.2 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	golang.org/x/crypto v0.39.0 // indirect
	golang.org/x/image v0.25.0 // indirect
	golang.org/x/sync v0.15.0 // indirect
	golang.org/x/text v0.26.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20250707201910-8d1bb00bc6a7 // indirect
)
