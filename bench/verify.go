package bench

import (
	"fmt"
	"os"
	"strings"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"

	"github.com/spf13/pflag"

	"jobgate/presigner"
)

// verifyFlags say how answers are verified.
type verifyFlags struct {
	how, keys, skip string
	perSecond       int
}

func (f *verifyFlags) register(set *pflag.FlagSet) {
	set.StringVar(&f.how, "verify", "", "check a sample of the answers: open requests the first byte of every presigned URL; signature only recomputes signatures (needs --verify-keys); with keys, open does both")
	set.Lookup("verify").NoOptDefVal = "open"
	set.IntVar(&f.perSecond, "verify-rate", 10, "maximum answers to check per second")
	set.StringVar(&f.skip, "verify-skip", "", "do not open URLs that contain this text, such as uploads: only --verify-keys can distinguish them from downloads")
	set.StringVar(&f.keys, "verify-keys", "", "file with the keys that URLs are signed with, each line ACCESS_KEY_ID SECRET [SESSION_TOKEN]; env: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN")
}

// plan returns the verification that the flags ask for, or nil for none.
func (f *verifyFlags) plan(p *plan.Plan) (*answer.Verify, error) {
	if f.how == "" {
		return nil, nil
	}
	v := &answer.Verify{PerSecond: f.perSecond, Open: f.how == "open", Skip: f.skip, Timeout: p.Timeout}
	if f.how != "open" && f.how != "signature" {
		return nil, fmt.Errorf("cannot verify %q: open or signature; see --verify", f.how)
	}
	if f.perSecond < 1 || f.perSecond > 100_000 {
		return nil, fmt.Errorf("cannot verify %d answers a second: 1 to 100000; see --verify-rate", f.perSecond)
	}
	if p.TLS != nil {
		// The same trust as for the target, but not its name or client certificate.
		v.TLS = p.TLS.Clone()
		v.TLS.ServerName, v.TLS.Certificates = "", nil
	}
	if f.keys == "" {
		if !v.Open {
			return nil, fmt.Errorf("cannot recompute signatures without keys; see --verify-keys")
		}
		return v, nil
	}
	keys, err := readKeys(f.keys)
	if err != nil {
		return nil, err
	}
	v.Lookup = func(id string) (presigner.Credentials, bool) {
		c, ok := keys[id]
		return c, ok
	}
	return v, nil
}

// readKeys reads credentials from a file or, for "env", from the environment. Its
// errors do not contain what it read.
func readKeys(name string) (map[string]presigner.Credentials, error) {
	if name == "env" {
		c := presigner.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
		if c.AccessKeyID == "" || c.SecretAccessKey == "" {
			return nil, fmt.Errorf("cannot verify with the environment's keys: AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set; see --verify-keys")
		}
		return map[string]presigner.Credentials{c.AccessKeyID: c}, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read keys: %w; see --verify-keys", err)
	}
	keys := map[string]presigner.Credentials{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 2 || len(fields) > 3 {
			return nil, fmt.Errorf("cannot read keys: %s:%d is not ACCESS_KEY_ID SECRET [SESSION_TOKEN]; see --verify-keys", name, number)
		}
		c := presigner.Credentials{AccessKeyID: fields[0], SecretAccessKey: fields[1]}
		if len(fields) == 3 {
			c.SessionToken = fields[2]
		}
		keys[c.AccessKeyID] = c
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("cannot read keys: %s has none; see --verify-keys", name)
	}
	return keys, nil
}
