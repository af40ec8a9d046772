package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/jackc/pgx/v5"
)

// A migrated database, made once in a run; each cluster begins with a copy.
var template struct {
	once   sync.Once
	folder string
	err    error
}

func removeTemplate() {
	if template.folder != "" {
		os.RemoveAll(template.folder)
	}
	template.once, template.folder, template.err = sync.Once{}, "", nil
}

// Copies the template's pg/ into a data folder.
func copyTemplate(prbald, folder string) error {
	template.once.Do(func() { template.err = makeTemplate(prbald) })
	if template.err != nil {
		return template.err
	}
	return quietly(exec.Command("cp", "-a", filepath.Join(template.folder, "pg"), folder))
}

func makeTemplate(prbald string) (err error) {
	if template.folder, err = os.MkdirTemp("", "prbal-promises-template-"); err != nil {
		return err
	}
	if err = os.Chmod(template.folder, 0o711); err != nil {
		return err
	}
	home := filepath.Join(template.folder, "pg")
	if err = makeHome(home); err != nil {
		return err
	}
	initdb, err := postgresCommand("initdb", "--pgdata", filepath.Join(home, "data"),
		"--username=prbal", "--encoding=UTF8", "--locale=C.UTF-8", "--auth-local=trust",
		"--auth-host=reject", "--data-checksums", "--no-sync")
	if err != nil {
		return err
	}
	if err = quietly(initdb); err != nil {
		return err
	}
	database := &Postgres{home: home, log: filepath.Join(template.folder, "log")}
	if err = database.Start(); err != nil {
		return err
	}
	if err = fillTemplate(prbald, database); err != nil {
		return err
	}
	return database.Stop()
}

func makeHome(home string) error {
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	attributes, err := postgresUser()
	if err != nil || attributes.Credential == nil {
		return err
	}
	return os.Chown(home, int(attributes.Credential.Uid), int(attributes.Credential.Gid))
}

// An account that is there keeps the server from adding its demo data.
func fillTemplate(prbald string, database *Postgres) error {
	ctx := context.Background()
	link, err := pgx.Connect(ctx, database.URL()+" dbname=postgres")
	if err != nil {
		return err
	}
	if _, err = link.Exec(ctx, "create database prbal"); err != nil {
		return err
	}
	link.Close(ctx)
	migrate := exec.Command(prbald, "migrate")
	migrate.Env = append(os.Environ(), "PRBAL_DATA="+template.folder, "PRBAL_DATABASE_URL="+database.URL())
	if err = quietly(migrate); err != nil {
		return err
	}
	if link, err = pgx.Connect(ctx, database.URL()); err != nil {
		return err
	}
	defer link.Close(ctx)
	return insertAccounts(ctx, link, []*Person{newPerson("admin", Admin)})
}

// The output of a program matters when it fails.
func quietly(command *exec.Cmd) error {
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(command.Path), err, output)
	}
	return nil
}
