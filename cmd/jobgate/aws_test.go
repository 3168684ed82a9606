package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/servertest"
)

// s3Places are AWS settings, and the URL of `s3://bucket/k/a.bin` under each.
var s3Places = []struct {
	env    []string
	bucket string
	want   string
}{
	{nil, "bkt", "https://bkt.s3.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=us-east-1"}, "bkt", "https://bkt.s3.us-east-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1"}, "bkt", "https://bkt.s3.eu-west-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1"}, "my.bucket", "https://s3.eu-west-1.amazonaws.com/my.bucket/k/a.bin"},
	{[]string{"AWS_REGION=cn-north-1"}, "bkt", "https://bkt.s3.cn-north-1.amazonaws.com.cn/k/a.bin"},
	{[]string{"AWS_REGION=us-gov-west-1"}, "bkt", "https://bkt.s3.us-gov-west-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1", "AWS_USE_FIPS_ENDPOINT=true"}, "bkt", "https://bkt.s3-fips.eu-west-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=us-east-1", "AWS_USE_DUALSTACK_ENDPOINT=true"}, "bkt", "https://bkt.s3.dualstack.us-east-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=us-east-1", "AWS_USE_FIPS_ENDPOINT=true", "AWS_USE_DUALSTACK_ENDPOINT=true"}, "bkt", "https://bkt.s3-fips.dualstack.us-east-1.amazonaws.com/k/a.bin"},
	{[]string{"AWS_REGION=cn-north-1", "AWS_USE_DUALSTACK_ENDPOINT=true"}, "bkt", "https://bkt.s3.dualstack.cn-north-1.amazonaws.com.cn/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000"}, "bkt", "http://127.0.0.1:9000/bkt/k/a.bin"},
	{[]string{"AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL_S3=https://s3.example.com"}, "bkt", "https://s3.example.com/bkt/k/a.bin"},
}

var presignKeys = []string{"AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=s3cret"}

// signedFor returns a presigned URL without its query, and the region that it is signed for.
func signedFor(t *testing.T, signed string) string {
	t.Helper()
	u, err := url.Parse(strings.TrimSpace(signed))
	if err != nil {
		t.Fatal(err)
	}
	scope := strings.Split(u.Query().Get("X-Amz-Credential"), "/")
	if len(scope) != 5 {
		t.Fatalf("%q is not presigned", signed)
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath() + " " + scope[2]
}

func TestPresignPlaces(t *testing.T) {
	t.Parallel()
	for _, p := range s3Places {
		r := jobgate(t, "", append(presignKeys, p.env...), "presign", "s3://"+p.bucket+"/k/a.bin")
		if r.code != 0 {
			t.Errorf("%v: %s", p.env, r.err)
			continue
		}
		if got := signedFor(t, r.out); !strings.HasPrefix(got, p.want+" ") {
			t.Errorf("%v: %s, want %s", p.env, got, p.want)
		}
	}
	r := jobgate(t, "", append(presignKeys, "AWS_REGION=eu-west-1"), "presign", "--config", gatetest.WriteFile(t, t.TempDir(), "j.yaml", "presign: {bucket_regions: {bkt: ap-south-1}}\n"), "s3://bkt/k")
	if got, want := signedFor(t, r.out), "https://bkt.s3.ap-south-1.amazonaws.com/k ap-south-1"; got != want {
		t.Errorf("bucket_regions: %s, want %s", got, want)
	}
}

// TestEndpointHosts: endpoints in AWS's settings are validated like presign.endpoint.
func TestEndpointHosts(t *testing.T) {
	t.Parallel()
	document := gatetest.WriteFile(t, t.TempDir(), "job.json", "{}")
	for endpoint, want := range map[string]string{
		"http://bücher.example":  `"http://bücher.example" has a host that is not a DNS name in ASCII`,
		"http://h:0443":          `has the port "0443", which is not 1..65535 without leading zeros`,
		"http://h:":              "has an empty port",
		"minio:9000":             `"minio:9000" is not a base URL; allowed: http://host:port or https://host:port`,
		"http://user:s3cret@h:9": "carries a user name or password",
	} {
		for _, setting := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
			env := append([]string{setting + "=" + endpoint}, presignKeys...)
			for _, args := range [][]string{{"presign", "s3://bkt/k"}, {"check", document}} {
				r := jobgate(t, "", env, args...)
				if r.code != 1 || !strings.HasPrefix(r.err, "jobgate: "+setting+": ") || !strings.Contains(r.err, want) || strings.Contains(r.err, "s3cret@") {
					t.Errorf("%s=%s %v: exit %d, %s", setting, endpoint, args, r.code, r.err)
				}
			}
		}
	}
}

// presignLikeCLI runs the AWS CLI once for each line of its input, {"env": {…}, "args": […]}, in one process, because
// starting the CLI is slower than its work.
const presignLikeCLI = `
import contextlib, io, json, os, sys
import awscli.clidriver
before = dict(os.environ)
for line in sys.stdin:
    case = json.loads(line)
    os.environ.clear()
    os.environ.update(before, **case["env"])
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = awscli.clidriver.create_clidriver().main(case["args"])
    if status:
        sys.exit("aws %s: exit status %d" % (" ".join(case["args"]), status))
    print(out.getvalue().strip())
`

// presignByCLI returns the AWS CLI's presigned URL for each of s3Places.
func presignByCLI(t *testing.T) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", presignLikeCLI)
	command.Env = append([]string{"HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true", "PATH=/usr/bin:/bin"}, presignKeys...)
	if exec.Command(command.Path, "-c", "import awscli").Run() != nil {
		servertest.Missing(t, "install the AWS CLI: apt-get install awscli")
	}
	var in, problems bytes.Buffer
	for _, p := range s3Places {
		c := struct {
			Env  map[string]string `json:"env"`
			Args []string          `json:"args"`
		}{map[string]string{}, []string{"s3", "presign", "s3://" + p.bucket + "/k/a.bin"}}
		for _, e := range p.env {
			name, value, _ := strings.Cut(e, "=")
			if name == "AWS_ENDPOINT_URL_S3" { // older CLIs do not know the variable
				c.Args = append(c.Args, "--endpoint-url", value)
				continue
			}
			c.Env[name] = value
		}
		if err := json.NewEncoder(&in).Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	command.Stdin, command.Stderr = &in, &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(s3Places) {
		t.Fatalf("%d URLs for %d cases: %s", len(lines), len(s3Places), out)
	}
	return lines
}

// TestPresignPlacesAsAWS compares jobgate presign with `aws s3 presign`.
func TestPresignPlacesAsAWS(t *testing.T) {
	t.Parallel()
	for i, theirs := range presignByCLI(t) {
		p := s3Places[i]
		ours := jobgate(t, "", append(presignKeys, p.env...), "presign", "s3://"+p.bucket+"/k/a.bin")
		if got, want := signedFor(t, ours.out), signedFor(t, theirs); got != want {
			t.Errorf("%v: %s, the AWS CLI signs %s", p.env, got, want)
		}
	}
}
