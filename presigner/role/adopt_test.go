package role

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestReloadKeepsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{skew: 10 * time.Minute, longest: time.Hour, message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."}
		first := start(t, sts.options(
			Config{Name: "same", ARN: arn("same"), Expires: 15 * time.Minute},
			Config{Name: "changed", ARN: arn("changed")},
			Config{Name: "chained", ARN: arn("chained"), SourceRole: "changed"},
			Config{Name: "gone", ARN: arn("gone")},
		))
		for _, st := range first.Status() {
			mustWait(t, mustRole(t, first, st.Role))
		}
		time.Sleep(10 * time.Minute)
		calls := len(sts.seen(""))

		o := sts.options(
			Config{Name: "same", ARN: arn("same"), Expires: time.Hour}, // another route, the same sessions
			Config{Name: "changed", ARN: arn("changed"), ExternalID: "new"},
			Config{Name: "chained", ARN: arn("chained"), SourceRole: "changed"},
			Config{Name: "new", ARN: arn("new")},
		)
		o.Adopt = first
		second, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		f := func(role string, wantAdopted bool) {
			t.Helper()
			r := mustRole(t, second, role)
			old, _ := first.Role(role)
			if adopted := r.Session() != nil && r.Session() == old.Session(); adopted != wantAdopted {
				t.Errorf("role %s: adopted %v, want %v", role, adopted, wantAdopted)
			}
		}
		f("same", true)
		f("changed", false)
		f("chained", false)
		f("new", false)
		if second.Skew() != first.Skew() || second.Skew() == 0 {
			t.Errorf("Skew %v, want %v", second.Skew(), first.Skew())
		}
		if st := mustRole(t, second, "same").Status(); st.State != Ready || st.SessionDuration != time.Hour || st.NextAttempt.Sub(second.Now()) > 6*time.Minute {
			t.Errorf("Status of the adopted role: %+v, want ready, 1h, and soon renewed", st)
		}
		if n := len(sts.seen("")); n != calls {
			t.Errorf("New made %d calls", n-calls)
		}
		second.Start(t.Context())
		defer second.Close()
		synctest.Wait()
		first.Close()
		if n := len(sts.seen(arn("same"))); n != 2 { // one refused as too long, one granted, both before the reload
			if n != 3 { // or one more refused by the clock
				t.Errorf("%d calls for the role that did not change", n)
			}
		}
		for _, role := range []string{"changed", "chained", "new"} {
			mustWait(t, mustRole(t, second, role))
		}
	})
}

func TestReloadOfEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		roles := []Config{{Name: ""}, {Name: "a", ARN: arn("a"), SessionName: "jobgate"}, {Name: "b", ARN: arn("b"), SourceRole: "a"}}
		s := start(t, sts.options(roles...))
		mustWait(t, mustRole(t, s, "b"))
		for range 20 {
			o := sts.options(roles...)
			o.Roles[1].SessionName = "" // the default, spelled otherwise
			o.Adopt = s
			next := start(t, o)
			s.Close()
			s = next
			time.Sleep(time.Minute)
			for _, st := range s.Status() {
				if st.State != Ready || !st.Usable {
					t.Fatalf("after a reload: %+v", st)
				}
			}
		}
		if n := len(sts.seen("")); n != 2 {
			t.Errorf("%d calls for 20 reloads, want the first 2", n)
		}
	})
}

// A session that has ended is not adopted.
func TestReloadWithoutSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		old := start(t, sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: time.Hour}))
		mustWait(t, mustRole(t, old, "a"))
		sts.down()
		time.Sleep(2 * time.Hour)
		o := sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: time.Hour})
		o.Adopt = old
		s := start(t, o)
		if st := s.Status()[0]; st.Usable || st.State == Ready {
			t.Errorf("an ended session was adopted: %+v", st)
		}
	})
}
