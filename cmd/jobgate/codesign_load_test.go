package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
)

// memoryOf returns a line of /proc/PID/status in MiB: VmRSS, VmHWM.
func memoryOf(t *testing.T, pid int, line string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("there is no /proc: %v", err)
	}
	m := regexp.MustCompile(line + `:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in %s", line, text)
	}
	kib, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib >> 10
}

// A large object is read once for all who create jobs with it meanwhile, and never stands in memory.
func TestCodeSignLarge(t *testing.T) {
	s := newCodeSite(t)
	const size = 192 << 20
	version := s.minio.PutObject(t, s.bucket, "firmware/large.bin", make([]byte, size))
	idle := memoryOf(t, s.d.cmd.Process.Pid, "VmRSS")
	reads := func() int { return s.proxy.Count("GET", "/"+s.bucket+"/firmware/large.bin") }
	var group sync.WaitGroup
	for i := range 60 {
		group.Go(func() {
			id := fmt.Sprintf("job-%d", i)
			s.create(200, `"jobId":"`+id+`"`, id, s.text("firmware/large.bin", version), richARN)
		})
	}
	group.Wait()
	peak := memoryOf(t, s.d.cmd.Process.Pid, "VmHWM")
	t.Logf("%d MiB idle, at most %d MiB while %d MiB were signed for 60 jobs", idle, peak, size>>20)
	if n := reads(); n != 1 {
		t.Errorf("%d reads", n)
	}
	if peak-idle > 64 {
		t.Errorf("%d MiB idle, %d MiB at most", idle, peak)
	}
	if status, d, body := s.fetch("job-7"); status != 200 || d.Sig.RawPayloadSize != size {
		t.Errorf("%d %s", status, body)
	}
	s.stop()
}
