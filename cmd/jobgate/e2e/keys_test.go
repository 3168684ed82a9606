package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// awkwardKeys returns the keys of botocore's vectors, without those that a list of allowed objects rejects, and a key of 1024
// bytes.
func awkwardKeys(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../../presigner/testdata/presign.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Key string }
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	keys := []string{strings.Repeat(strings.Repeat("é", 100)+"/", 4) + strings.Repeat("k", 220)}
	seen := map[string]bool{}
	for _, c := range cases {
		if !seen[c.Key] && !hasDots(c.Key) {
			keys = append(keys, c.Key)
		}
		seen[c.Key] = true
	}
	return keys
}

// hasDots reports whether a key has a segment "." or "..". Such keys are rejected if patterns define what is allowed.
func hasDots(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// notOnMinIO reports whether MinIO, which stores objects as files, rejects a key that S3 accepts.
func notOnMinIO(key string) bool {
	for segment := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." || len(segment) > 255 {
			return true
		}
	}
	return false
}

// placeholders returns a document with a placeholder for every key: unchanged, except keys that v1 cannot express, or
// percent-encoded (v2).
func placeholders(t *testing.T, kind, base string, keys []string) string {
	t.Helper()
	document := map[string]string{}
	for i, key := range keys {
		switch {
		case kind == "-v2":
			key = strings.ReplaceAll(url.PathEscape(key), "%2F", "/")
			key = strings.ReplaceAll(key, "%3FversionId", "%3F%76ersionId") // part of the key
		case strings.Contains(key, "}"):
			continue
		}
		document[fmt.Sprint(i)] = "${aws:iot:s3-presigned-url" + kind + ":" + base + key + "}"
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAwkwardKeys downloads the keys of presign.json from documents with both forms of placeholders. The URLs in the
// placeholders are MinIO's, or AWS's with presign.endpoint set to MinIO.
func TestAwkwardKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	keys := awkwardKeys(t)
	for _, key := range keys {
		if !notOnMinIO(key) {
			s.object(key, "bytes of "+key)
		}
	}
	for _, kind := range []string{"", "-v2"} {
		s.file("minio"+kind+".json", placeholders(t, kind, "$S3/$BUCKET/", keys))
		s.file("aws"+kind+".json", placeholders(t, kind, "https://s3.us-east-1.amazonaws.com/$BUCKET/", keys))
		s.file("host"+kind+".json", placeholders(t, kind, "https://$BUCKET.s3.amazonaws.com/", keys))
	}
	const config = `
routes: [{path: "/{jobId}", document: "file://$DIR/{jobId}.json"}]
limits: {max_placeholders: 1000}
`
	named := s.serve(config + downloadRole)
	rewritten := s.serve(config + strings.Replace(downloadRole, "role: download}", `role: download, endpoint: "$S3"}`, 1))
	tried := 0
	f := func(g *gateway, name string) {
		t.Helper()
		tried += s.download(get(t, "http://"+g.devices+"/"+name).document(t), keys)
	}
	f(named, "minio")
	f(named, "minio-v2")
	f(rewritten, "minio-v2")
	f(rewritten, "aws")
	f(rewritten, "aws-v2")
	f(rewritten, "host-v2")
	if tried < 600 {
		t.Errorf("only %d URLs were tried", tried)
	}
}

// download requests every URL of a document and returns how many there were. For a key that MinIO rejects, it checks only
// that the signature is accepted.
func (s *site) download(document map[string]string, keys []string) int {
	s.t.Helper()
	var devices sync.WaitGroup
	work := make(chan int)
	for range 8 {
		devices.Go(func() {
			for i := range work {
				a, err := ask(client, http.MethodGet, document[fmt.Sprint(i)], "")
				good := err == nil && a.status == http.StatusOK && a.body == "bytes of "+keys[i]
				if notOnMinIO(keys[i]) {
					good = err == nil && a.status != http.StatusForbidden
				}
				if !good {
					s.t.Errorf("key %q: %d %q %v", keys[i], a.status, a.body, err)
				}
			}
		})
	}
	for i := range keys {
		if document[fmt.Sprint(i)] != "" {
			work <- i
		}
	}
	close(work)
	devices.Wait()
	return len(document)
}
