package browser

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRollout acts as an operator: creating a job for a thousand things, watching it while the fleet reports, reading and
// retrying its failures, canceling it with force and deleting it; then a template.
func TestRollout(t *testing.T) {
	s := newSite(t, "")
	s.minio.PutObject(t, s.bucket, "fw.bin", []byte("firmware"))
	things := s.fleet("fleet", 1000)
	object := s.minio.URL + "/" + s.bucket + "/fw.bin"
	b := open(t, s.control)
	b.signedIn()

	// First the form marks a wrong placeholder, at its column.
	b.visit("/create")
	b.fill("Job ID", "update-1")
	b.fill("Description (optional)", "Neue Größe · 新しい版 · גרסה חדשה")
	b.fill("Thing groups", "fleet")
	b.fill("Role ARN", downloadRole)
	b.fill("Document", "{\n  \"url\": \"${aws:iot:s3-presigned-url-v2:https://files.example.com/fw.bin}\"\n}")
	b.sees("Line 2, column 11")
	b.picture("wizard-marked")
	b.fill("Document", "{\n  \"url\": \"${aws:iot:s3-presigned-url-v2:"+object+"}\"\n}")
	b.sees("The document is well formed.")
	b.sees("create-job --job-id update-1")
	b.picture("wizard")
	b.press("Create job")
	b.sees("arn:aws:iot:us-east-1:000000000000:job/update-1")
	b.sees("גרסה חדשה")
	s.eventually("all are queued", func() bool { return s.counts("update-1")["numberOfQueuedThings"] == 1000.0 })
	b.sees("1,000")

	// The URL in a device's document downloads the object.
	document := s.send(s.request("/things/" + things[0] + "/jobs/$next"))["execution"].(map[string]any)["jobDocument"].(string)
	url := regexp.MustCompile(`https?://[^"]+`).FindString(strings.ReplaceAll(document, `\u0026`, "&"))
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if string(body) != "firmware" {
		t.Errorf("the device downloads %q", body)
	}

	// The page updates while the fleet reports.
	var fleet sync.WaitGroup
	for part := range 4 {
		fleet.Go(func() {
			for i := part; i < 900; i += 4 {
				status, details := "SUCCEEDED", map[string]string(nil)
				if i%9 == 0 { // 100 of 900
					status, details = "FAILED", map[string]string{"reason": fmt.Sprintf("flash error %d", i%2), "sector": "17"}
				}
				s.report(things[i], "update-1", status, details)
			}
		})
	}
	b.sees("Failed")
	b.picture("moving")
	fleet.Wait()
	s.eventually("the page shows the last report", func() bool {
		shown := strings.Join(strings.Fields(b.shown()), " ")
		return strings.Contains(shown, "Succeeded 800") && strings.Contains(shown, "Queued 100") && strings.Contains(shown, "Failed 100")
	})
	b.picture("progress")

	// A failed device, and its reason.
	b.press("Failures")
	b.sees("flash error 0")
	b.sees("flash error 1")
	b.fill("Reason", "flash error 1")
	b.press("Apply")
	s.eventually("the filter is in the address", func() bool { return strings.Contains(b.eval("location.hash"), "reason=flash+error+1") })
	b.drawn()
	b.lacks("flash error 0")
	b.picture("failures")
	b.press("sensor-0009")
	b.sees("What the device reported")
	b.sees("flash error 1")
	b.sees("17")

	// The failed things get a new job. A second retry changes nothing.
	b.visit("/jobs/update-1")
	b.press("Retry failed…")
	b.fill("Only with this reason (optional)", "flash error 1")
	b.press("How many?")
	b.sees("50 things would get the new job.")
	b.picture("retry")
	b.press("Create the retry")
	b.sees("job/update-1-retry")
	s.eventually("the retry is queued", func() bool { return s.counts("update-1-retry")["numberOfQueuedThings"] == 50.0 })
	b.visit("/jobs/update-1")
	b.press("Retry failed…")
	b.fill("Only with this reason (optional)", "flash error 1")
	b.press("Create the retry")
	b.sees("job/update-1-retry")
	if got := s.counts("update-1-retry")["numberOfQueuedThings"]; got != 50.0 {
		t.Errorf("after a second retry %v things are queued, want 50", got)
	}

	// Canceled by force, then deleted.
	s.report(things[999], "update-1", "IN_PROGRESS", nil)
	b.visit("/jobs/update-1")
	b.press("Cancel…")
	b.sees("executions in progress continue unless forced")
	b.fill("Also cancel executions in progress (force): their devices may be left in an unknown state", "true")
	b.fill("Reason code (optional)", "BAD_BUILD")
	b.sees("cancel-job --job-id update-1 --force --reason-code BAD_BUILD")
	b.picture("cancel")
	b.press("Cancel job")
	b.sees("BAD_BUILD")
	s.eventually("all are canceled", func() bool { return s.counts("update-1")["numberOfCanceledThings"] == 100.0 })
	b.press("Delete…")
	b.press("Delete job")
	b.sees("Job ID contains")
	s.eventually("the job is no longer listed", func() bool {
		b.press("Refresh")
		b.drawn()
		return !regexp.MustCompile(`update-1\b[^-]`).MatchString(b.shown())
	})

	// A template from the retry, and a job from the template.
	b.visit("/jobs/update-1-retry")
	b.press("Save as template")
	b.sees("Document and settings are those of")
	b.fill("Template ID", "firmware")
	b.fill("Description", "the good one")
	b.press("Create template")
	b.sees("jobtemplate/firmware")
	b.press("Create job from this")
	b.sees("Job ID")
	b.drawn()
	b.fill("Job ID", "from-template")
	b.fill("Things", things[0])
	b.press("Create job")
	b.sees("job/from-template")
	b.visit("/templates/firmware")
	b.press("Delete…")
	b.press("Delete template")
	b.sees("AWS managed templates")
	b.secretIsNowhere()
}

// counts returns a job's counts of executions.
func (s *site) counts(job string) map[string]any {
	s.t.Helper()
	return s.operate(http.MethodGet, "/jobs/"+job, nil)["job"].(map[string]any)["jobProcessDetails"].(map[string]any)
}

// request returns a device's request.
func (s *site) request(path string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.devices+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// TestPause: the stream stops while it is paused with the button and while the tab is hidden, and starts again afterwards.
func TestPause(t *testing.T) {
	s := newSite(t, "")
	s.populate()
	b := open(t, s.control)
	b.signedIn()
	b.visit("/feed")
	b.sees("live")
	s.report("sensor:2", longID, "IN_PROGRESS", nil)
	b.sees("In progress")
	b.press("Pause")
	b.sees("paused")
	s.report("sensor:2", longID, "REJECTED", nil)
	b.eval("new Promise((done) => setTimeout(done, 1500))")
	b.lacks("Rejected")
	b.press("Resume")
	b.sees("live")
	b.eval(`(Object.defineProperty(document, 'hidden', {configurable: true, value: true}), document.dispatchEvent(new Event('visibilitychange')))`)
	b.sees("paused while hidden")
	b.eval(`(Object.defineProperty(document, 'hidden', {configurable: true, value: false}), document.dispatchEvent(new Event('visibilitychange')))`)
	b.sees("live")
	b.do(chromedp.EmulateViewport(1200, 900))
}
