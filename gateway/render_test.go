package gateway_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/gateway"
	"jobgate/gateway/signing"
	"jobgate/presigner/role"
)

// TestSessionEndsWithinQuantum checks that URLs are reused until their quantum ends, but not after their session's end.
func TestSessionEndsWithinQuantum(t *testing.T) {
	for _, mode := range []role.Mode{role.Clamp, role.Ignore} {
		begin := time.Now()
		end := begin.Add(2 * time.Minute)
		g := newGateway(t, func(c *gateway.Config, g *testGateway) {
			g.at(begin)
			c.Presign.Quantum = time.Hour
			c.Routes[0].Expires = 2 * time.Hour
			c.Sidecar = &gateway.Sidecar{TCP: true, Roles: []string{""}, DefaultExpires: 2 * time.Hour}
			c.Rules[""] = signing.RoleRules{Allow: []string{"arn:aws:s3:::firmware/*"}, Setting: "presign", MaxExpires: 12 * time.Hour}
			roles, err := role.New(role.Options{
				AWS: aws.Config{Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: static.AccessKeyID, SecretAccessKey: static.SecretAccessKey, SessionToken: static.SessionToken, CanExpire: true, Expires: end}, nil
				})},
				Roles: []role.Config{{Expires: 2 * time.Hour}}, OnShortSession: mode,
				Now: func() time.Time { return *g.now.Load() },
			})
			if err != nil {
				t.Fatal(err)
			}
			roles.Start(context.Background())
			t.Cleanup(roles.Close)
			c.Roles = roles
		})
		g.write("v7.json", placeholder)
		ask := func() [2]response {
			g.serve(g.handler.ServeSidecar, false)
			sidecar := g.do("POST", "/render", placeholder, "Host: localhost", jsonType)
			g.serve(g.handler.Serve, true)
			return [2]response{sidecar, g.get("/things/t1/jobs/v7/document")}
		}
		for i, r := range ask() {
			if r.StatusCode != 200 || !strings.Contains(r.body, "X-Amz-Signature") {
				t.Errorf("mode %v, %d: %d %s", mode, i, r.StatusCode, r.body)
			}
		}
		g.at(end.Add(time.Second))
		for i, r := range ask() {
			if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
				t.Errorf("mode %v, %d, after the session's end: %d %v %s", mode, i, r.StatusCode, r.Header, r.body)
			}
		}
	}
}
