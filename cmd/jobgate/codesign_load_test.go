package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// memoryOf returns the value of a line of /proc/PID/status, VmRSS or VmHWM, in MiB.
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

// concurrentCalls is how many jobs are created concurrently: JOBGATE_TEST_CODESIGN_CALLS, or as many as a busy machine handles.
func concurrentCalls() int {
	if n, err := strconv.Atoi(os.Getenv("JOBGATE_TEST_CODESIGN_CALLS")); err == nil {
		return n
	}
	return 200
}

// createWithRetry creates a job, and retries each 503 after its Retry-After.
func (s *codeSite) createWithRetry(id, document string) error {
	body := fmt.Sprintf(`{"targets":["arn:aws:iot:us-east-1:000000000000:thing/sensor-1"],"document":%q,"presignedUrlConfig":{"roleArn":%q,"expiresInSec":120}}`, document, richARN)
	for deadline := time.Now().Add(3 * time.Minute); ; {
		status, header, text := s.send(operatorKey, "iot", "control", "PUT", "/jobs/"+id, body)
		seconds, err := strconv.Atoi(header.Get("Retry-After"))
		switch {
		case status == 200:
			return nil
		case status != 503 || err != nil || time.Now().After(deadline):
			return fmt.Errorf("%s: %d %v %s", id, status, header, text)
		}
		s.retried.Add(1)
		time.Sleep(time.Duration(seconds) * time.Second)
	}
}

// createConcurrently creates jobs for one file by concurrent calls.
func (s *codeSite) createConcurrently(calls int, name, key, version string) {
	s.t.Helper()
	var group sync.WaitGroup
	for i := range calls {
		group.Go(func() {
			if err := s.createWithRetry(fmt.Sprintf("%s-%d", name, i), s.text(key, version)); err != nil {
				s.t.Error(err)
			}
		})
	}
	group.Wait()
}

// TestCodeSignLarge: concurrent jobs for one large object cause a single read, which is never held in memory as a whole.
// They use no more memory than as many jobs for a small object.
func TestCodeSignLarge(t *testing.T) {
	t.Parallel()
	s := newCodeSite(t)
	const size = 192 << 20
	version := s.minio.PutObject(t, s.bucket, "firmware/large.bin", make([]byte, size))
	idle := memoryOf(t, s.d.Cmd.Process.Pid, "VmRSS")
	calls := concurrentCalls()
	s.createConcurrently(calls, "small", "firmware/v7.bin", s.new)
	small := memoryOf(t, s.d.Cmd.Process.Pid, "VmHWM")
	reads := func() int { return s.proxy.Count("GET", "/"+s.bucket+"/firmware/large.bin") }
	began := time.Now()
	s.createConcurrently(calls, "large", "firmware/large.bin", version)
	peak := memoryOf(t, s.d.Cmd.Process.Pid, "VmHWM")
	t.Logf("%d MiB idle, at most %d MiB for a small object, %d MiB while %d MiB were signed for %d jobs, in %v; %d answers were 503",
		idle, small, peak, size>>20, calls, time.Since(began).Round(time.Millisecond), s.retried.Load())
	if n := reads(); n != 1 || s.reads() != 1 {
		t.Errorf("%d reads of the large object, %d of the small one, want 1 each", n, s.reads())
	}
	if calls <= 200 && peak-idle > 64 || peak-small > 64 {
		t.Errorf("%d MiB idle, %d MiB at most for a small object, %d MiB for a large one", idle, small, peak)
	}
	if status, d, body := s.fetch("large-7"); status != 200 || d.Sig.RawPayloadSize != size {
		t.Errorf("the document of large-7: %d %s", status, body)
	}
	s.stop()
}
