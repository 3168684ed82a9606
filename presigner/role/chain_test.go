package role

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestAssumeRoleInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		start(t, sts.options(
			Config{Name: "plain", ARN: arn("plain")},
			Config{
				Name: "full", ARN: arn("full"), ExternalID: "ext:1", SessionName: "edge-7",
				SessionDuration: 2 * time.Hour, SessionPolicy: `{"Version":"2012-10-17"}`,
			},
		))
		synctest.Wait()
		f := func(role, name, want string) {
			t.Helper()
			form := sts.seen(arn(role))[0].form
			if got := form.Get(name); got != want || want == "" && form.Has(name) {
				t.Errorf("role %s: %s = %q, want %q", role, name, got, want)
			}
		}
		f("plain", "DurationSeconds", "43200")
		f("plain", "RoleSessionName", "jobgate")
		f("plain", "ExternalId", "")
		f("plain", "Policy", "")
		f("full", "DurationSeconds", "7200")
		f("full", "RoleSessionName", "edge-7")
		f("full", "ExternalId", "ext:1")
		f("full", "Policy", `{"Version":"2012-10-17"}`)
	})
}

func TestChaining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{delay: time.Second}
		s := start(t, sts.options(
			Config{Name: "c", ARN: arn("c"), SourceRole: "b"},
			Config{Name: "b", ARN: arn("b"), SourceRole: "a"},
			Config{Name: "a", ARN: arn("a")},
		))
		mustWait(t, mustRole(t, s, "c"))
		f := func(role, wantSigner string) {
			t.Helper()
			if got := sts.seen(arn(role))[0].signedBy; got != wantSigner {
				t.Errorf("role %s was assumed by %s, want %s", role, got, wantSigner)
			}
		}
		key := func(role string) string { return mustWait(t, mustRole(t, s, role)).Credentials.AccessKeyID }
		f("a", ownKey)
		f("b", key("a"))
		f("c", key("b"))
		if n := len(sts.seen("")); n != 3 {
			t.Errorf("%d calls, want 3", n)
		}
	})
}

// A chained role recovers as soon as its source does, not after its own back-off.
func TestChainedRoleFollowsItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		up := sts.down()
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a")}, Config{Name: "b", ARN: arn("b"), SourceRole: "a"}))
		time.Sleep(5 * time.Minute)
		if n := len(sts.seen(arn("b"))); n != 0 {
			t.Errorf("%d calls for a role whose source is cold, want 0", n)
		}
		st := mustRole(t, s, "b").Status()
		if st.State != Failing || !strings.Contains(st.LastError, `"a"`) {
			t.Errorf("Status: %+v, want a failure that names the source", st)
		}
		up()
		for mustRole(t, s, "a").Session() == nil {
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if mustRole(t, s, "b").Session() == nil {
			t.Error("the chained role still waits although its source is back")
		}
	})
}

// No role signs with the credentials that assume it.
func TestColdRoleHasNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		sts.down()
		s := start(t, sts.options(Config{Name: ""}, Config{Name: "a", ARN: arn("a")}))
		time.Sleep(time.Minute)
		if sess := mustRole(t, s, "a").Session(); sess != nil {
			t.Errorf("a role that was never assumed signs with %v", sess.Credentials)
		}
		if _, _, err := mustRole(t, s, "a").Lifetime(nil, time.Minute, s.Now()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Lifetime of no session: %v, want ErrUnavailable", err)
		}
		if got := mustWait(t, mustRole(t, s, "")).Credentials.AccessKeyID; got != ownKey {
			t.Errorf("the own credentials are %s, want %s", got, ownKey)
		}
	})
}

func TestOneFailingRoleAffectsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{refuse: func(role string) *refusal {
			if role == arn("bad") {
				return &refusal{403, "AccessDenied", "User: arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole"}
			}
			return nil
		}}
		s := start(t, sts.options(Config{Name: "bad", ARN: arn("bad")}, Config{Name: "good", ARN: arn("good")}))
		synctest.Wait()
		var got []string
		for _, st := range s.Status() {
			got = append(got, fmt.Sprint(st.Role, " ", st.State, " ", st.Usable))
		}
		if want := "bad failing false,good ready true"; strings.Join(got, ",") != want {
			t.Errorf("Status: %v, want %s", got, want)
		}
	})
}

func TestDurationFallback(t *testing.T) {
	f := func(longest time.Duration, message string, wantSeconds ...int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			sts := &fakeSTS{longest: longest, message: message}
			log := &journal{}
			o := sts.options(Config{Name: "a", ARN: arn("a"), Expires: 15 * time.Minute})
			o.Log = log.logger()
			s := start(t, o)
			time.Sleep(90 * time.Minute)
			var got []int
			for _, c := range sts.seen("") {
				got = append(got, c.seconds)
			}
			if fmt.Sprint(got[:len(wantSeconds)]) != fmt.Sprint(wantSeconds) {
				t.Errorf("%s: asked for %v, want %v first", message, got, wantSeconds)
			}
			for _, seconds := range got[2:] {
				if seconds != 3600 {
					t.Errorf("%s: asked for %v: the fallback was not remembered", message, got)
				}
			}
			if n := strings.Count(log.String(), "STS refuses sessions this long"); n != 1 {
				t.Errorf("%s: logged %d times, want once", message, n)
			}
			if d := mustRole(t, s, "a").Status().SessionDuration; d != time.Hour {
				t.Errorf("%s: SessionDuration %v, want 1h", message, d)
			}
		})
	}
	f(2*time.Hour, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 43200, 3600, 3600)
	f(time.Hour, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.", 43200, 3600, 3600)
	f(time.Hour, "1 validation error detected: Value '43200' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 3600", 43200, 3600, 3600)
}

// A refused session of an hour or less has no fallback.
func TestNoFallbackToLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{longest: time.Minute, message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."}
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: 30 * time.Minute}))
		_, err := mustRole(t, s, "a").Wait(t.Context())
		if calls := sts.seen(""); len(calls) != 1 || calls[0].seconds != 1800 || err == nil {
			t.Errorf("calls %v, %v", calls, err)
		}
	})
}

// No other refusal of STS is mistaken for a session that is too long.
func TestNoFallbackForOtherErrors(t *testing.T) {
	f := func(code, message string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			sts := &fakeSTS{refuse: func(string) *refusal { return &refusal{400, code, message} }}
			start(t, sts.options(Config{Name: "a", ARN: arn("a")}))
			time.Sleep(time.Minute)
			for _, c := range sts.seen("") {
				if c.seconds != 43200 {
					t.Fatalf("%s %q: asked for %d seconds", code, message, c.seconds)
				}
			}
		})
	}
	f("ValidationError", "1 validation error detected: Value 'x y' at 'roleSessionName' failed to satisfy constraint")
	f("PackedPolicyTooLarge", "DurationSeconds is fine")
	f("Throttling", "Rate exceeded")
}

// chain is a fake provider of the standard chain, behind the SDK's cache, whose credentials expire.
type chain struct {
	life  time.Duration
	calls atomic.Int64
	fail  atomic.Bool
}

func (c *chain) Retrieve(context.Context) (aws.Credentials, error) {
	n := c.calls.Add(1)
	if c.fail.Load() {
		return aws.Credentials{}, errors.New("no EC2 IMDS role found")
	}
	return aws.Credentials{
		AccessKeyID: fmt.Sprint("OWN", n), SecretAccessKey: "s", SessionToken: "t",
		CanExpire: true, Expires: time.Now().Add(c.life),
	}, nil
}

func TestOwnCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		own := &chain{life: 6 * time.Hour}
		o := sts.options(Config{Name: "", Expires: time.Hour}, Config{Name: "a", ARN: arn("a"), SessionDuration: time.Hour})
		o.AWS.Credentials = aws.NewCredentialsCache(own)
		s := start(t, o)
		r := mustRole(t, s, "")
		mustWait(t, r)
		if least := watch(t, s, r, 24*time.Hour); least < time.Hour {
			t.Errorf("only %v were left of the own credentials, want 1h", least)
		}
		if n := own.calls.Load(); n < 4 || n > 9 {
			t.Errorf("the chain was asked %d times a day", n)
		}
		// The chain fails: its last credentials stay in use, for other roles too.
		own.fail.Store(true)
		last := r.Session()
		time.Sleep(59 * time.Minute)
		mustWait(t, mustRole(t, s, "a"))
		if r.Session() != last || !r.Status().Usable {
			t.Error("the own credentials did not stay in use")
		}
		calls := sts.seen("")
		if got := calls[len(calls)-1].signedBy; got != last.Credentials.AccessKeyID {
			t.Errorf("STS was called with %s, want %s", got, last.Credentials.AccessKeyID)
		}
	})
}

func TestStaticOwnCredentialsNeverEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		s := start(t, sts.options(Config{Name: "", Expires: 7 * 24 * time.Hour}))
		r := mustRole(t, s, "")
		sess := mustWait(t, r)
		time.Sleep(30 * 24 * time.Hour)
		if r.Session() != sess || !sess.Expires.IsZero() || len(sts.seen("")) != 0 {
			t.Errorf("static credentials were renewed, or end at %v", sess.Expires)
		}
		granted, clamped, err := r.Lifetime(sess, 7*24*time.Hour, s.Now())
		if granted != 7*24*time.Hour || clamped || err != nil {
			t.Errorf("Lifetime = %v, %v, %v", granted, clamped, err)
		}
		if st := s.Status(); len(st) != 1 || st[0].State != Ready || !st[0].Expires.IsZero() {
			t.Errorf("Status = %+v", st)
		}
	})
}

func TestNoCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		o := sts.options(Config{Name: "a", ARN: arn("a")})
		o.AWS.Credentials = nil
		s := start(t, o)
		_, err := mustRole(t, s, "a").Wait(t.Context())
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "standard AWS chain has no credentials") {
			t.Errorf("Wait without credentials: %v", err)
		}
		if _, ok := s.Role(""); ok {
			t.Error("the own credentials can be signed with although they were not listed")
		}
		if _, ok := s.Role("b"); ok {
			t.Error("there is a role that was not listed")
		}
	})
}

func TestRetrieve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, (&fakeSTS{}).options(Config{Name: "a", ARN: arn("a")}))
		r := mustRole(t, s, "a")
		var provider aws.CredentialsProvider = r
		c, err := provider.Retrieve(t.Context())
		want := r.Session().Credentials
		if err != nil || c.AccessKeyID != want.AccessKeyID || c.SecretAccessKey != want.SecretAccessKey ||
			c.SessionToken != want.SessionToken || !c.CanExpire || !c.Expires.Equal(want.Expires) {
			t.Errorf("Retrieve: %v, %v", c.AccessKeyID, err)
		}
	})
}
