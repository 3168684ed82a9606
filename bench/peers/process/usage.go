package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// pids returns the process and its descendants: nginx serves from a child.
func (p *Process) pids() []int { return family(p.cmd.Process.Pid) }

// family returns a process and its descendants.
func family(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", all[i], all[i]))
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// RSS returns the resident memory of the process and its descendants, in bytes. Memory
// that nginx's processes share is counted twice, which cancels out in differences.
func (p *Process) RSS() int64 {
	var total int64
	for _, pid := range p.pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			continue
		}
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			pages, _ := strconv.ParseInt(fields[1], 10, 64)
			total += pages * int64(os.Getpagesize())
		}
	}
	return total
}

// CPU returns the CPU time that the process and its descendants have used.
func (p *Process) CPU() time.Duration { return FamilyCPU(p.cmd.Process.Pid) }

// FamilyCPU returns the CPU time that a process and its living descendants have used.
func FamilyCPU(pid int) (total time.Duration) {
	for _, pid := range family(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		total += CPUFields(text, 11, 12)
	}
	return total
}

// CPUFields returns the sum of two CPU times in the text of /proc/PID/stat. Field numbers start after the name.
func CPUFields(stat []byte, user, system int) time.Duration {
	// The name is in parentheses and may contain spaces.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	for _, field := range []int{user, system} {
		n, _ := strconv.ParseInt(fields[field], 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on Linux
}
