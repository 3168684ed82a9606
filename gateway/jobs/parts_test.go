package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestARNs(t *testing.T) {
	n := Names{Region: "eu-west-1", Account: "123456789012"}
	f := func(arn, want string) {
		t.Helper()
		r, err := n.Parse(arn)
		got := fmt.Sprintf("%s %s %v", r.Kind, r.Name, r.Managed)
		if err != nil {
			if got = "refused"; !errors.Is(err, ErrInvalidRequest) {
				t.Errorf("%s: %v", arn, err)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", arn, got, want)
		}
	}
	f(n.JobARN("j"), "job j false")
	f(n.ThingARN("a:b"), "thing a:b false")
	f(n.GroupARN("g"), "thinggroup g false")
	f(n.TemplateARN("t"), "jobtemplate t false")
	f(n.ManagedTemplateARN("AWS-Reboot", "1.0"), "jobtemplate AWS-Reboot:1.0 true")
	f("arn:aws:iot:eu-west-1::job/j", "refused")
	f("arn:aws:iot:eu-west-1:210987654321:job/j", "refused")
	f("arn:aws:iot:us-east-1:123456789012:job/j", "refused")
	f("arn:aws-cn:iot:eu-west-1:123456789012:job/j", "refused")
	f("arn:aws:s3:eu-west-1:123456789012:job/j", "refused")
	f("arn:aws:iot:eu-west-1:123456789012:job/", "refused")
	f("arn:aws:iot:eu-west-1:123456789012:job", "refused")
	f("j", "refused")
	f("", "refused")
	for region, want := range map[string]string{"cn-north-1": "arn:aws-cn:iot:", "us-gov-west-1": "arn:aws-us-gov:iot:"} {
		if arn := (Names{Region: region, Account: "1"}).JobARN("j"); !strings.HasPrefix(arn, want) {
			t.Errorf("%s: %s", region, arn)
		}
	}
	if got := n.TargetARN(Target{Group: true, Name: "g"}); got != n.GroupARN("g") {
		t.Error(got)
	}
}

func TestTargets(t *testing.T) {
	n := Names{Region: "eu-west-1", Account: "123456789012"}
	targets, err := n.Targets([]string{n.ThingARN("a"), n.GroupARN("g"), n.ThingARN("a")})
	if err != nil || fmt.Sprint(targets) != "[{false a} {true g}]" {
		t.Errorf("%v, %v", targets, err)
	}
	many := make([]string, MaxTargets+1)
	for i := range many {
		many[i] = n.ThingARN(fmt.Sprint(i))
	}
	for _, bad := range [][]string{nil, {n.JobARN("j")}, {"a"}, many} {
		if _, err := n.Targets(bad); !errors.Is(err, ErrInvalidRequest) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestSettings(t *testing.T) {
	f := func(c Settings, want string) {
		t.Helper()
		err := c.Validate()
		if (want == "") != (err == nil) || (err != nil && (!strings.Contains(err.Error(), want) || !errors.Is(err, ErrInvalidRequest))) {
			text, _ := json.Marshal(c)
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	presign := func(n int64) Settings { return Settings{Presign: &PresignedURLConfig{ExpiresInSec: n}} }
	f(Settings{}, "")
	f(presign(0), "")
	f(presign(60), "")
	f(presign(3600), "")
	f(presign(59), "expiresInSec must be between 60 and 3600")
	f(presign(3601), "expiresInSec")

	rate := func(maximum, base int64, factor float64, by RateIncreaseCriteria) Settings {
		return Settings{Rollout: &RolloutConfig{MaximumPerMinute: maximum, ExponentialRate: &ExponentialRate{base, factor, by}}}
	}
	notified := RateIncreaseCriteria{NumberOfNotifiedThings: 1}
	f(Settings{Rollout: &RolloutConfig{}}, "")
	f(Settings{Rollout: &RolloutConfig{MaximumPerMinute: 1000}}, "")
	f(Settings{Rollout: &RolloutConfig{MaximumPerMinute: 1001}}, "maximumPerMinute")
	f(Settings{Rollout: &RolloutConfig{MaximumPerMinute: -1}}, "maximumPerMinute")
	f(rate(50, 50, 1.1, notified), "")
	f(rate(0, 1000, 5, RateIncreaseCriteria{NumberOfSucceededThings: 9}), "")
	f(rate(50, 51, 2, notified), "above maximumPerMinute")
	f(rate(0, 0, 2, notified), "baseRatePerMinute")
	f(rate(0, 1001, 2, notified), "baseRatePerMinute")
	f(rate(0, 1, 1, notified), "incrementFactor")
	f(rate(0, 1, 5.1, notified), "incrementFactor")
	f(rate(0, 1, 1.55, notified), "incrementFactor takes one digit")
	for factor := 1.1; factor <= 5; factor += 0.1 { // sums with rounding errors
		f(rate(0, 1, factor, notified), "")
	}
	f(rate(0, 1, 2, RateIncreaseCriteria{}), "needs")
	f(rate(0, 1, 2, RateIncreaseCriteria{1, 1}), "")
	f(rate(0, 1, 2, RateIncreaseCriteria{NumberOfNotifiedThings: -1}), "at least 1")

	abort := func(kind, action string, percent float64, least int64) Settings {
		return Settings{Abort: &AbortConfig{CriteriaList: []AbortCriteria{{kind, action, percent, least}}}}
	}
	f(abort("ALL", "CANCEL", 100, 1), "")
	f(abort("CANCELED", "CANCEL", 1, 1), "failureType")
	f(abort("ALL", "ABORT", 1, 1), "action")
	f(abort("ALL", "CANCEL", 0, 1), "thresholdPercentage")
	f(abort("ALL", "CANCEL", 100.1, 1), "thresholdPercentage")
	f(abort("ALL", "CANCEL", 10.99, 1), "")
	f(abort("ALL", "CANCEL", 0.01, 1), "")
	f(abort("ALL", "CANCEL", 10.999, 1), "thresholdPercentage takes two digits")
	f(abort("ALL", "CANCEL", 1, 0), "minNumberOfExecutedThings")
	f(Settings{Abort: &AbortConfig{}}, "at least one")

	f(Settings{Timeout: &TimeoutConfig{10080}}, "")
	f(Settings{Timeout: &TimeoutConfig{10081}}, "inProgressTimeoutInMinutes")
	retry := func(c ...RetryCriteria) Settings { return Settings{Retry: &RetryConfig{c}} }
	f(retry(RetryCriteria{"ALL", 10}), "")
	f(retry(RetryCriteria{"FAILED", 5}, RetryCriteria{"TIMED_OUT", 5}), "")
	f(retry(), "1 to 2")
	f(retry(RetryCriteria{"FAILED", 6}, RetryCriteria{"TIMED_OUT", 5}), "together")
	f(retry(RetryCriteria{"FAILED", 1}, RetryCriteria{"FAILED", 1}), "one criterion a failureType")
	f(retry(RetryCriteria{"ALL", 1}, RetryCriteria{"FAILED", 1}), "ALL alone")
	f(retry(RetryCriteria{"REJECTED", 1}), "failureType")
	f(retry(RetryCriteria{"ALL", 11}), "between 0 and 10")
}

func TestConcurrent(t *testing.T) {
	f := func(j Job, p Progress, want bool) {
		t.Helper()
		if got := j.Concurrent(&p); got != want {
			t.Errorf("%s, sweep %d, %+v: %v", j.Status, j.Sweep, p, got)
		}
	}
	f(Job{Status: JobScheduled}, Progress{}, false)
	f(Job{Status: JobInProgress}, Progress{}, true)
	f(Job{Status: JobInProgress}, Progress{Done: true}, false)
	f(Job{Status: JobInProgress, Stopped: true}, Progress{}, false)
	f(Job{Status: JobCanceled, Sweep: SweepCancelQueued}, Progress{}, true)
	f(Job{Status: JobCanceled, Sweep: SweepCancelAll}, Progress{Swept: true}, false)
	f(Job{Status: JobCompleted}, Progress{Done: true}, false)
	f(Job{Status: JobDeleting, Sweep: SweepDelete}, Progress{}, false)
}

func TestEvents(t *testing.T) {
	var e Events
	if e.Active() {
		t.Error("active without a subscriber")
	}
	all := e.Subscribe(2, nil)
	ofJ := e.Subscribe(9, func(ev *Event) bool { return ev.JobID == "j" })
	for _, id := range []string{"j", "k", "j", "j"} {
		e.Publish(&Event{Type: EventJobCreated, JobID: id})
	}
	next := func(s *Subscription) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		ev, err := s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s missed %d", ev.JobID, ev.Missed)
	}
	got := []string{next(all), fmt.Sprint(all.Missed()), next(all)}
	e.Publish(&Event{JobID: "l"})
	got = append(got, next(all), fmt.Sprint(all.Missed()))
	for range 5 {
		e.Publish(&Event{JobID: "m"})
	}
	got = append(got, next(all), next(all), fmt.Sprint(all.Missed(), all.Missed()))
	if want := "[j missed 0 0 k missed 0 l missed 2 0 m missed 0 m missed 0 3 0]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	for range 3 {
		if got := next(ofJ); got != "j missed 0" {
			t.Errorf("%s", got)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := ofJ.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	ofJ.Close()
	ofJ.Close()
	all.Close()
	e.Publish(&Event{JobID: "m"})
	if e.Active() || len(all.C()) != 0 {
		t.Error("a closed subscription still gets events")
	}
	var wg sync.WaitGroup // publishers never wait
	slow := e.Subscribe(1, nil)
	for range 8 {
		wg.Go(func() {
			for range 100 {
				e.Publish(&Event{})
			}
		})
	}
	wg.Wait()
	slow.Close()
}
