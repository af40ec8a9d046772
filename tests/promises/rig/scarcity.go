package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// A file system of its own for the data folder, so small that it can be filled.
func (c *Cluster) mountDisk() error {
	if c.setup.DiskMB == 0 {
		return nil
	}
	options := fmt.Sprintf("size=%dm,mode=711", c.setup.DiskMB)
	if err := syscall.Mount("tmpfs", c.folder, "tmpfs", 0, options); err != nil {
		return err
	}
	c.trial.Cleanup(func() { syscall.Unmount(c.folder, syscall.MNT_DETACH) })
	return nil
}

// CanMount tells whether this process may mount a file system.
func (t *Trial) CanMount() bool {
	folder := t.Folder("mount")
	os.Mkdir(folder, 0o700)
	if syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=1m") != nil {
		return false
	}
	return syscall.Unmount(folder, 0) == nil
}

func (c *Cluster) filler() string {
	return filepath.Join(c.folder, "filler")
}

// FillDisk leaves nothing of the data folder's file system.
func (c *Cluster) FillDisk() error {
	file, err := os.OpenFile(c.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := file.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	return nil
}

// FreeDisk gives it back.
func (c *Cluster) FreeDisk() error {
	return os.Remove(c.filler())
}

// Sets the soft limit of the running server; 0 is the hard one.
func (s *Server) limit(resource int, value uint64) error {
	var limit [2]uint64 // soft, hard
	err := s.prlimit(resource, nil, &limit)
	if err != nil {
		return err
	}
	limit[0] = value
	if value == 0 {
		limit[0] = limit[1]
	}
	return s.prlimit(resource, &limit, nil)
}

func (s *Server) prlimit(resource int, set, get *[2]uint64) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(s.PID()), uintptr(resource),
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// LimitFiles lets the running server open so many files and sockets more;
// below 0 it is freed again.
func (s *Server) LimitFiles(more int) error {
	if more < 0 {
		return s.limit(syscall.RLIMIT_NOFILE, 0)
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		return err
	}
	return s.limit(syscall.RLIMIT_NOFILE, uint64(len(open)+more))
}

// LimitMemory lets it have so many bytes more.
func (s *Server) LimitMemory(more uint64) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		return err
	}
	var kilobytes uint64
	_, after, _ := strings.Cut(string(text), "VmData:")
	if _, err = fmt.Sscan(after, &kilobytes); err != nil {
		return err
	}
	return s.limit(syscall.RLIMIT_DATA, kilobytes<<10+more)
}

// Await waits for a server that ends by itself; false when it goes on.
func (s *Server) Await() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.process.await(startPatience/3) == nil
}
