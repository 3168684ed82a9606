package role

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"jobgate/presigner"
)

// If a signature is wrong, STS quotes the canonical request with the token.
func TestErrorsHoldNoSecrets(t *testing.T) {
	f := func(message string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			sts := &fakeSTS{refuse: func(string) *refusal { return &refusal{403, "SignatureDoesNotMatch", message} }}
			log := &journal{}
			o := sts.options(Config{Name: "a", ARN: arn("a"), ExternalID: "external"})
			o.Log = log.logger()
			s := start(t, o)
			r := mustRole(t, s, "a")
			_, err := r.Wait(t.Context())
			if err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") {
				t.Errorf("Wait: %v, want STS's code", err)
			}
			time.Sleep(time.Minute)
			for where, text := range map[string]string{
				"the error": fmt.Sprintf("%v %+v %#v", err, err, err), "the status": r.Status().LastError, "the log": log.String(),
			} {
				for _, secret := range []string{ownSecret, ownToken} {
					if strings.Contains(text, secret) {
						t.Errorf("%s holds a secret: %s", where, text)
					}
				}
			}
		})
	}
	f("The request signature we calculated does not match.\n\nThe Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:" + ownToken + "\n'")
	f("bad token " + ownToken + " and key " + ownSecret)
}

func TestReason(t *testing.T) {
	secret := presigner.Credentials{SecretAccessKey: "SECRET", SessionToken: "TOKEN"}
	f := func(text, want string) {
		t.Helper()
		if got := reason(errors.New(text), secret); got != want {
			t.Errorf("reason(%q) = %q, want %q", text, got, want)
		}
	}
	f("a\n b\t\tc", "a b c")
	f("x SECRET y TOKEN", "x (redacted) y (redacted)")
	f("bad. The Canonical String for this: TOKEN", "bad.")
	long := reason(errors.New(strings.Repeat("☃", 1000)))
	if len(long) > maxReason+len("…") || !utf8.ValidString(long) || !strings.HasSuffix(long, "…") {
		t.Errorf("a long reason has %d bytes: %q", len(long), long)
	}
}

// Sessions print no secret with any verb or encoder.
func TestSessionsPrintRedacted(t *testing.T) {
	c := presigner.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "SECRET", SessionToken: "TOKEN", Expires: time.Now()}
	signer, err := presigner.NewSigner(c)
	if err != nil {
		t.Fatal(err)
	}
	sess := &Session{Signer: signer, Credentials: c}
	log := &journal{}
	log.logger().Info("session", "session", sess, "value", *sess)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", sess, sess, sess), fmt.Sprintf("%v %+v %#v", *sess, *sess, *sess), log.String()} {
		if strings.Contains(text, "SECRET") || strings.Contains(text, "TOKEN") {
			t.Errorf("a session prints its secrets: %s", text)
		}
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{delay: time.Second}
		var mu sync.Mutex
		outcomes := map[string]int{}
		o := sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: time.Hour, Expires: time.Hour})
		o.Metrics.Request = func(role string, out Outcome, took time.Duration) {
			if role != "a" || took != time.Second {
				t.Errorf("Request(%q, %s, %v), want a call of 1s for a", role, out, took)
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[string(out)]++
		}
		clamped := 0
		o.Metrics.Clamped = func(role string) func() {
			if role != "a" && role != "" {
				t.Errorf("Clamped(%q)", role)
			}
			return func() { clamped++ }
		}
		s := start(t, o)
		r := mustRole(t, s, "a")
		mustWait(t, r)
		phase := func(change func()) {
			sts.set(change)
			time.Sleep(7 * time.Minute)
		}
		phase(func() { sts.refuse = func(string) *refusal { return &refusal{400, "Throttling", "Rate exceeded"} } })
		phase(func() { sts.refuse = func(string) *refusal { return &refusal{403, "AccessDenied", "no"} } })
		phase(func() { sts.refuse = func(string) *refusal { return &refusal{500, "InternalFailure", "sorry"} } })
		phase(func() { sts.refuse, sts.fail = nil, func(string) error { return errDown } })
		mu.Lock()
		defer mu.Unlock()
		for _, want := range Outcomes {
			if outcomes[string(want)] == 0 {
				t.Errorf("no call was counted as %q: %v", want, outcomes)
			}
			delete(outcomes, string(want))
		}
		if len(outcomes) != 0 {
			t.Errorf("outcomes that are not listed: %v", outcomes)
		}
		if _, _, err := r.Lifetime(r.Session(), time.Hour, s.Now()); err != nil || clamped != 1 {
			t.Errorf("%d clamps counted, %v", clamped, err)
		}
	})
}

// The first session, failures and recovery are logged; renewals only at level debug.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts, log := &fakeSTS{}, &journal{}
		o := sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: time.Hour, Expires: time.Hour})
		o.Log = log.logger()
		start(t, o)
		time.Sleep(time.Hour)
		up := sts.down()
		time.Sleep(6 * time.Minute)
		up()
		time.Sleep(2 * time.Minute)
		f := func(line string, wantLow, wantHigh int) {
			t.Helper()
			if n := strings.Count(log.String(), line); n < wantLow || n > wantHigh {
				t.Errorf("%q is there %d times, want %d … %d:\n%s", line, n, wantLow, wantHigh, log)
			}
		}
		f(`level=INFO msg="role session obtained" role=a`, 2, 2)
		f(`level=DEBUG msg="role session obtained" role=a`, 9, 16)
		f(`level=WARN msg="cannot renew the role session: the old one stays in use" role=a error="dial tcp 192.0.2.1:443: connect: connection refused"`, 4, 20)
		f(`level=ERROR`, 0, 0)
	})
}
