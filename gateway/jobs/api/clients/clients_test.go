//go:build clients

package clients

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/control"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/jobs/api/events"
	"jobgate/gateway/jobs/documents"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
	"jobgate/gateway/signing"
	"jobgate/presigner"
	"jobgate/presigner/miniotest"
	"jobgate/presigner/role"
)

const (
	roleARN = "arn:aws:iam::123456789012:role/download"
	region  = miniotest.Region
)

func TestClients(t *testing.T) {
	minio := miniotest.Start(t)
	proxy := miniotest.NewProxy(t, minio)
	firmware := make([]byte, 100_000)
	minio.CreateBucket(t, "clients")
	minio.PutObject(t, "clients", "v7.bin", firmware)
	digest := sha256.Sum256(firmware)

	address, operator := serve(t, proxy.URL, minio)
	run := exec.CommandContext(t.Context(), "./run.sh", "http://"+address)
	run.Env = append(os.Environ(),
		"AWS_ACCESS_KEY_ID="+operator.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+operator.SecretAccessKey, "AWS_REGION="+region,
		"JOBGATE_ROLE_ARN="+roleARN, "JOBGATE_OBJECT_URL="+proxy.URL+"/clients/v7.bin", "JOBGATE_OBJECT_SHA256="+hex.EncodeToString(digest[:]))
	out, err := run.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range proxy.Requests() {
		if r.Kind == miniotest.AssumeRole && r.Name != roleARN {
			t.Errorf("assumed %s, want %s", r.Name, roleARN)
		}
	}
	if proxy.Count(miniotest.AssumeRole, roleARN) == 0 {
		t.Error("the job's role was never assumed")
	}
}

// serve runs the service on loopback and returns the control listener's address and an operator's keys.
func serve(t *testing.T, s3 string, minio *miniotest.Server) (address string, operator presigner.Credentials) {
	engine, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "jobs.db")})
	must(t, err)
	store := rules.Over(engine)
	t.Cleanup(func() { must(t, store.Close()) })
	resolver, err := s3host.New(s3host.Config{Endpoints: []string{s3}})
	must(t, err)
	service, err := operations.New(operations.Config{Store: store, Names: jobs.Names{Region: region, Account: "000000000000"}, Roles: listed{resolver}})
	must(t, err)
	keys, operator := access.GenerateKeys()
	verifier, err := access.NewVerifier(region, keys)
	must(t, err)
	devices, err := data.New(data.Config{Service: service, Documents: documents.New(documents.Config{Authority: newAuthority(t, s3, minio.Root)})})
	must(t, err)
	plane, err := control.New(control.Config{Service: service})
	must(t, err)
	stream, err := events.New(events.Config{Service: service, Verifier: verifier})
	must(t, err)
	handler, err := api.New(api.Config{Control: plane, Data: devices, Events: stream, Verifier: verifier})
	must(t, err)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	o := handler.HTTP()
	o.MaxRequestHeader, o.MaxBody, o.ReadTimeout, o.IdleTimeout = 16<<10, 1<<20, 10*time.Second, 75*time.Second
	server := edge.NewHTTP(o)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { service.Driver().Run(ctx) })
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		handler.Close()
		must(t, server.Shutdown(context.Background()))
		must(t, <-ended)
		stop()
		running.Wait()
	})
	return listener.Addr().String(), operator
}

// listed has the role roleARN only.
type listed struct{ resolver *s3host.Resolver }

func (l listed) DocumentOptions(arn string) (jobdoc.Options, bool) {
	return jobdoc.Options{Resolver: l.resolver}, arn == "" || arn == roleARN
}

// authority signs with sessions of roleARN.
type authority struct{ signing.Sessions }

func newAuthority(t *testing.T, sts string, root aws.Credentials) authority {
	set, err := role.New(role.Options{
		AWS: aws.Config{
			Region: region, BaseEndpoint: aws.String(sts),
			Credentials: credentials.NewStaticCredentialsProvider(root.AccessKeyID, root.SecretAccessKey, ""),
		},
		Roles: []role.Config{{Name: "download", ARN: roleARN, Expires: time.Hour}},
	})
	must(t, err)
	set.Start(t.Context())
	t.Cleanup(set.Close)
	return authority{signing.Sessions{Roles: set}}
}

func (a authority) Grant(ctx context.Context, t signing.Terms) (signing.Grant, error) {
	if t.Role != roleARN {
		return signing.Grant{}, fmt.Errorf("role %q is not listed", t.Role)
	}
	t.Role = "download"
	return a.Sessions.Grant(ctx, t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
