package main

import (
	"context"
	"crypto/tls"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	pb "prbal.test/api/prbal/v1"
	"prbal.test/bench/kit"
	"prbal.test/promises/rig"
)

const startPatience = 60 * time.Second

func ourStarters(b *kit.Bench) []starter {
	again := b.Folder("again")
	startPrbald(b, again, "").stop() // the first start, of which later ones find all
	elsewhere := b.Cluster(rig.Setup{Build: rig.Release})
	b.Must(elsewhere.Servers[0].Terminate(), "the cluster's own server")
	external := b.Folder("external")
	startPrbald(b, external, elsewhere.Database.URL()).stop()
	first := 0
	return []starter{
		{name: "first", label: "prbald, the first time", short: "prbald, first", ours: true, start: func() started {
			first++
			return startPrbald(b, b.Folder(fmt.Sprintf("first-%d", first)), "")
		}},
		{name: "again", label: "prbald, later", short: "prbald, later", ours: true, start: func() started {
			return startPrbald(b, again, "")
		}},
		{name: "external", label: "prbald, PostgreSQL runs already", short: "prbald, external", ours: true, start: func() started {
			return startPrbald(b, external, elsewhere.Database.URL())
		}},
	}
}

// prbald with its defaults, but for where it listens.
func startPrbald(b *kit.Bench, folder, database string) started {
	address, edge := freeAddress(b), freeAddress(b)
	command := exec.Command(b.Program("prbald"), "serve")
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "PRBAL_DATA=" + folder, "PRBAL_DATABASE_URL=" + database,
		"PRBAL_LISTEN=" + address, "PRBAL_EDGE_LISTEN=" + edge}
	log, err := os.OpenFile(b.Log(filepath.Base(folder)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	b.Must(err, "a log")
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // it has a PostgreSQL to stop
	b.Must(command.Start(), "prbald")
	stop := func() {
		command.Process.Signal(syscall.SIGTERM)
		command.Wait()
	}
	b.Cleanup(func() {
		if command.ProcessState == nil {
			stop()
		}
	})
	b.Must(firstAnswer(b.Context(), address), "prbald; its log is %s", log.Name())
	return started{pid: command.Process.Pid, postgres: postmasterOf(folder), stop: stop}
}

func freeAddress(b *kit.Bench) string {
	port, err := rig.FreePort()
	b.Must(err, "a port")
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// 0 when the PostgreSQL is not its own.
func postmasterOf(folder string) (pid int) {
	text, _ := os.ReadFile(filepath.Join(folder, "pg", "data", "postmaster.pid"))
	fmt.Sscan(string(text), &pid)
	return pid
}

// A connection that is tried anew each millisecond.
func eagerly(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: startPatience,
			Backoff: backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}}),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
}

func firstAnswer(parent context.Context, address string) error {
	ctx, cancel := context.WithTimeout(parent, startPatience)
	defer cancel()
	connection, err := eagerly(address)
	if err != nil {
		return err
	}
	defer connection.Close()
	for {
		health, err := healthpb.NewHealthClient(connection).Check(ctx, &healthpb.HealthCheckRequest{})
		if err == nil && health.Status == healthpb.HealthCheckResponse_SERVING {
			break
		}
		if ctx.Err() != nil {
			return fmt.Errorf("it does not serve: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
	_, err = pb.NewSystemServiceClient(connection).GetServerInfo(ctx, &pb.GetServerInfoRequest{})
	return err
}

func peerStarters(b *kit.Bench) []starter {
	var all []starter
	for _, peer := range startPeers {
		all = append(all, starter{name: peer, short: peer, label: b.PeerVersion(peer) + ", an echo", start: func() started {
			server := b.Start(kit.Launch{Name: peer, Path: b.Peer(peer, "serve"), TLS: true})
			b.Must(firstEcho(b.Context(), server.Address), "%s", peer)
			return started{pid: server.PID(), stop: server.Stop}
		}})
	}
	return all
}

// The bytes as they are.
type plainCodec struct{}

func (plainCodec) Name() string                  { return "proto" }
func (plainCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (plainCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func firstEcho(parent context.Context, address string) error {
	ctx, cancel := context.WithTimeout(parent, startPatience)
	defer cancel()
	connection, err := eagerly(address)
	if err != nil {
		return err
	}
	defer connection.Close()
	request, answer := echoRequest(), []byte(nil)
	if err = connection.Invoke(ctx, echoMethod, &request, &answer, grpc.ForceCodec(plainCodec{})); err != nil {
		return err
	}
	if string(answer) != string(request) {
		return fmt.Errorf("it answered %q", answer)
	}
	return nil
}

// In MB; nothing for what is no compiled program.
func programSize(b *kit.Bench, path string) (built, stripped float64, isProgram bool) {
	file, err := elf.Open(path)
	if err != nil {
		return 0, 0, false
	}
	file.Close()
	small := b.Folder("stripped-" + strings.ReplaceAll(path, "/", "-"))
	output, err := exec.Command("strip", "-o", small, path).CombinedOutput()
	b.Must(err, "strip: %s", output)
	size := func(path string) float64 {
		info, err := os.Stat(path)
		b.Must(err, "the size of %s", path)
		return float64(info.Size()) / 1e6
	}
	return size(path), size(small), true
}
