package store

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT, which package syscall does not name on all
// architectures.
const tcpUserTimeout = 18

// boundSilence gives a connection up when what was sent is not acknowledged in
// time. Where that cannot be set, the defaults of the system hold.
func boundSilence(fd uintptr, d time.Duration) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
}
