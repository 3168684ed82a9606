package role

import (
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		err := c.Validate()
		switch {
		case want == "" && err != nil:
			t.Errorf("%+v: %v", c, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%+v: error %v, want %q in it", c, err, want)
		}
	}
	ok := Config{Name: "d", ARN: arn("d")}
	with := func(change func(*Config)) Config {
		c := ok
		change(&c)
		return c
	}
	f(ok, "")
	f(Config{}, "")
	f(Config{Expires: time.Hour, MaxExpires: time.Hour}, "")
	f(Config{ARN: arn("d")}, "own credentials")
	f(Config{SourceRole: "x"}, "own credentials")
	f(with(func(c *Config) { c.ARN = "arn:aws-us-gov:iam::123456789012:role/path/to/Role+=,.@-_" }), "")
	f(with(func(c *Config) { c.ARN = "" }), "roles.d.arn")
	f(with(func(c *Config) { c.ARN = "arn:aws:iam::123456789012:user/u" }), "roles.d.arn")
	f(with(func(c *Config) { c.ARN = "arn:aws:iam::12345:role/r" }), `"arn:aws:iam::12345:role/r"`)
	f(with(func(c *Config) { c.ARN = arn(strings.Repeat("x", 2048)) }), "roles.d.arn")
	f(with(func(c *Config) { c.SessionName = "x" }), "roles.d.session_name")
	f(with(func(c *Config) { c.SessionName = "a b" }), "roles.d.session_name")
	f(with(func(c *Config) { c.SessionName = strings.Repeat("x", 65) }), "roles.d.session_name")
	f(with(func(c *Config) { c.ExternalID = "x" }), "roles.d.external_id")
	f(with(func(c *Config) { c.ExternalID = "a b" }), "roles.d.external_id")
	f(with(func(c *Config) { c.ExternalID = strings.Repeat("x", 1224) }), "")
	f(with(func(c *Config) { c.ExternalID = strings.Repeat("x", 1225) }), "roles.d.external_id")
	f(with(func(c *Config) { c.SessionDuration = 15 * time.Minute }), "")
	f(with(func(c *Config) { c.SessionDuration = 14 * time.Minute }), "15m … 12h")
	f(with(func(c *Config) { c.SessionDuration = 13 * time.Hour }), "15m … 12h")
	f(with(func(c *Config) { c.SessionPolicy = "{" }), "roles.d.session_policy")
	f(with(func(c *Config) { c.SessionPolicy = `"` + strings.Repeat("x", 2047) + `"` }), "2048")
	f(with(func(c *Config) { c.Expires = -1 }), "negative")
}

func TestOrder(t *testing.T) {
	f := func(want string, configs ...Config) {
		t.Helper()
		sorted, err := order(configs)
		var got []string
		for _, c := range sorted {
			got = append(got, c.Name)
		}
		if err != nil {
			got = []string{err.Error()}
		}
		if strings.Join(got, ">") != want {
			t.Errorf("order: %q, want %q", strings.Join(got, ">"), want)
		}
	}
	c := func(name, source string) Config { return Config{Name: name, ARN: arn("x"), SourceRole: source} }
	f("")
	f("", Config{})
	f(">a", c("a", ""))
	f(">c>b>a", c("a", "b"), c("b", "c"), c("c", ""))
	f(">b>a>c", c("c", "b"), c("a", "b"), c("b", ""), Config{})
	f(`cannot chain role "a": its sources form a circle, a from a; see roles.a.source_role`, c("a", "a"))
	f(`cannot chain role "a": its sources form a circle, a from b from a; see roles.a.source_role`, c("a", "b"), c("b", "a"))
	f(`cannot chain role "a": source_role "z" is not listed; see roles.a.source_role`, c("a", "z"))
	f(`cannot use role "a": the name is taken twice; see roles`, c("a", ""), c("a", ""))
}

func TestNewNeedsARegion(t *testing.T) {
	o := (&fakeSTS{}).options(Config{Name: "a", ARN: arn("a")})
	o.AWS.Region = ""
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("New without a region: %v", err)
	}
	o.Roles = []Config{{Name: ""}}
	s, err := New(o)
	if err != nil {
		t.Fatalf("New of own credentials without a region: %v", err)
	}
	s.Close() // never started
}
