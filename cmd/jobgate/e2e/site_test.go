package e2e_test

import (
	"strings"
	"testing"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/presigner/miniotest"
)

// downloadARN is the role of most tests.
const downloadARN = "arn:aws:iam::123456789012:role/download"

// downloadRole configures the role, which signs all URLs and reads the templates.
const downloadRole = `
roles:
  download: {arn: "` + downloadARN + `", allow: ["arn:aws:s3:::$BUCKET/*"]}
presign: {role: download}
`

// site is a gateway's environment: MinIO behind the test's own proxy, a bucket and a folder.
type site struct {
	t      *testing.T
	minio  *miniotest.Server
	proxy  *miniotest.Proxy
	bucket string
	folder string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, minio: miniotest.Start(t), folder: t.TempDir()}
	s.proxy = miniotest.NewProxy(t, s.minio)
	s.bucket = strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	s.minio.CreateBucket(t, s.bucket)
	logs.secret(s.minio.Root.SecretAccessKey)
	return s
}

// text replaces the variables in a configuration or a document with the site's values.
func (s *site) text(text string) string {
	return strings.NewReplacer("$BUCKET", s.bucket, "$S3", s.proxy.URL, "$DIR", s.folder).Replace(text)
}

// serve starts a gateway that uses the site's S3 and STS.
func (s *site) serve(config string, env ...string) *gateway {
	s.t.Helper()
	return serve(s.t, s.folder, append(s.proxy.Env(), env...), s.text(config))
}

// file writes a document to the site's folder, object to its bucket.
func (s *site) file(name, document string) {
	s.t.Helper()
	gatetest.WriteFile(s.t, s.folder, name, s.text(document))
}

func (s *site) object(key, body string) (versionID string) {
	s.t.Helper()
	return s.minio.PutObject(s.t, s.bucket, key, []byte(s.text(body)))
}
