package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Server is a Postgres server of one test, which may stop it, kill it and start
// it again on the same port, and so take it from those who are connected. Like
// the one of scripts/with-postgres it trusts everybody and does not sync.
type Server struct {
	t      testing.TB
	bin    string // the folder with initdb and postgres
	folder string // log and sockets
	data   string
	port   int
	owner  *syscall.Credential // nil: whoever runs the test

	command *exec.Cmd
	ended   chan struct{} // closed when the process has ended; nil if it never ran
}

// The ways to stop a server.
const (
	// Fast rolls back what is under way and closes the connections.
	Fast = syscall.SIGINT
	// Immediate leaves it to the next start to recover.
	Immediate = syscall.SIGQUIT
	// Killed takes the postmaster away; its children find out by themselves.
	Killed = syscall.SIGKILL
)

// patience bounds each start and stop.
const patience = time.Minute

// StartServer makes a server with its data in a new folder of dir, or of /tmp if
// that is empty, and starts it. It ends with the test, and the folder goes.
func StartServer(t testing.TB, dir string) *Server {
	t.Helper()
	s := &Server{t: t, bin: postgresBinaries(t), owner: postgresOwner(t)}
	var err error
	// The path is short, since that of a socket may have 107 characters only.
	if s.folder, err = os.MkdirTemp("/tmp", "quotekit-pg."); err != nil {
		t.Fatal(err)
	}
	if dir == "" {
		dir = s.folder
	}
	if s.data, err = os.MkdirTemp(dir, "data."); err != nil {
		t.Fatal(err)
	}
	s.outlive()
	for _, folder := range []string{s.folder, s.data} {
		if s.owner != nil {
			if err := os.Chown(folder, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	initdb := s.as("initdb", "--pgdata="+s.data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.port = freePort(t)
	s.Start()
	return s
}

// outlive sees to it that the server ends with the test, and also with the test
// binary if that is killed: a shell waits for the end of its input.
func (s *Server) outlive() {
	const wait = `read _; kill -QUIT "$(head -n 1 "$1/postmaster.pid")" 2>/dev/null; rm -rf "$0" "$1"`
	keeper := exec.Command("sh", "-c", wait, s.folder, s.data)
	keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is not for it
	input, err := keeper.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		s.Stop(Immediate)
		if err := errors.Join(input.Close(), keeper.Wait()); err != nil {
			s.t.Errorf("remove the server: %v", err)
		}
	})
}

// URL is that of the database of the server. It stays the same over a restart.
func (s *Server) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
}

// Running reports whether the process is there; it may have died by itself, as
// of a full disk.
func (s *Server) Running() bool {
	if s.ended == nil {
		return false
	}
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Start starts the server and waits until it answers. It does nothing if the
// server is running.
func (s *Server) Start() {
	s.t.Helper()
	deadline := time.After(patience)
	for !s.Running() || !s.answers() {
		if !s.Running() {
			// After a kill the children may hold the memory for a moment.
			s.launch()
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			log, _ := os.ReadFile(filepath.Join(s.folder, "server.log"))
			s.t.Fatalf("the server does not answer within %s:\n%s", patience, log)
		}
	}
}

func (s *Server) launch() {
	log, err := os.OpenFile(filepath.Join(s.folder, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	arguments := []string{"-D", s.data, "-p", strconv.Itoa(s.port)}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=" + s.folder, "timezone=UTC", "max_connections=100",
		"shared_buffers=32MB", "fsync=off", "full_page_writes=off", "min_wal_size=32MB", "max_wal_size=64MB", "log_min_messages=warning",
	} {
		arguments = append(arguments, "-c", setting)
	}
	s.command = s.as("postgres", arguments...)
	s.command.Stdout, s.command.Stderr = log, log
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	command, ended := s.command, make(chan struct{})
	s.ended = ended
	go func() {
		_ = command.Wait()
		close(ended)
	}()
}

// answers asks on the socket of our folder, so that another server on the same
// port is not mistaken for ours.
func (s *Server) answers() bool {
	ask := s.as("psql", "--no-psqlrc", "--quiet", "--host="+s.folder, "--port="+strconv.Itoa(s.port),
		"--username=postgres", "--command=SELECT 1", "postgres")
	return ask.Run() == nil
}

// Stop ends the server with [Fast], [Immediate] or [Killed] and waits for the end
// of its process. It does nothing if the server is not running.
func (s *Server) Stop(how syscall.Signal) {
	s.t.Helper()
	if !s.Running() {
		return
	}
	if err := s.command.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("stop the server: %v", err)
	}
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Errorf("the server does not stop within %s", patience)
		_ = s.command.Process.Kill()
		<-s.ended
	}
}

// as makes a command of Postgres that runs as the owner of the data.
func (s *Server) as(name string, arguments ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), arguments...)
	c.Dir = s.folder // the owner may not be allowed to stand where we stand
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.owner}
	return c
}

// postgresBinaries is the folder with the newest version of Debian's Postgres,
// else that of PATH.
func postgresBinaries(t testing.TB) string {
	t.Helper()
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(folders, func(a, b string) int { return version(b) - version(a) })
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, "initdb")); err == nil {
			return folder
		}
	}
	path, err := exec.LookPath("initdb")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		t.Fatalf("Postgres is not installed (%v); run: scripts/with-postgres true", err)
	}
	return filepath.Dir(path)
}

func version(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}

// postgresOwner is whom the server runs as: Postgres refuses to run as root.
func postgresOwner(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// freePort finds a port below those that the system gives to clients, so that
// nobody takes it while the server is away.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// MountDisk mounts a disk of its own for the test, of so many bytes, to fill it
// up. It takes the rights of root; without them the error says what is missing.
func MountDisk(t testing.TB, size int64) (dir string, err error) {
	t.Helper()
	if dir, err = os.MkdirTemp("/tmp", "quotekit-disk."); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	options := fmt.Sprintf("size=%d,mode=0755", size)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "quotekit-test", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("mount -t tmpfs: %w: %s", err, bytes.TrimSpace(out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir, nil
}
