package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ProcessorTime is what a process has spent so far, of its own and in the kernel, to
// the hundredth of a second. It fails where there is no /proc.
func ProcessorTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name of the command may hold anything; the third field comes after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 16-3 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var ticks int64
	for _, field := range fields[14-3 : 16-3] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // Linux shows hundredths, whatever it counts in
}

// PeakMemory is the largest resident memory that a process has had so far, in MiB. It
// fails where there is no /proc.
func PeakMemory(pid int) (mib float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1024, nil
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmHWM", pid)
}

// usage is what a service has used.
type usage struct {
	processor time.Duration
	peak      float64
	known     bool
}

// usage is zero and not known where there is no /proc.
func (s *service) usage() (u usage) {
	processor, err := ProcessorTime(s.command.Process.Pid)
	peak, memoryErr := PeakMemory(s.command.Process.Pid)
	if err != nil || memoryErr != nil {
		return usage{}
	}
	return usage{processor, peak, true}
}

// since are the figures of what was used since before, for so many events.
func (u usage) since(before usage, events int) Figures {
	if !u.known || !before.known || events == 0 {
		return nil
	}
	spent := u.processor - before.processor
	return append(Figures{{"cpu_us_per_event", float64(spent.Microseconds()) / float64(events)}}, u.memory()...)
}

// memory is the figure of the peak.
func (u usage) memory() Figures {
	if !u.known {
		return nil
	}
	return Figures{{"peak_memory_mib", u.peak}}
}
