package objectstore

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"jobgate/presigner"
)

// DefaultMaxUpload is the default of Config.MaxUpload, in bytes.
const DefaultMaxUpload = 64 << 20

// Config configures a Store.
type Config struct {
	Folder    string                // contains a folder for each bucket, with the objects as files; must exist
	Owner     presigner.Credentials // long-lived keys, which may also assume any role
	MaxUpload int64                 // largest PUT in bytes; 0: DefaultMaxUpload
	Now       func() time.Time      // nil: time.Now
}

// Store answers S3's object operations and STS's AssumeRole. It is an http.Handler, safe for concurrent use.
type Store struct {
	root      *os.Root
	maxUpload int64
	now       func() time.Time

	mu   sync.RWMutex
	keys map[string]presigner.Credentials // by access key id: the owner's, and those of unexpired sessions
}

// New opens the folder. Close the Store when its server has ended.
func New(c Config) (*Store, error) {
	if c.Owner.AccessKeyID == "" || c.Owner.SecretAccessKey == "" {
		return nil, errors.New("cannot open the object store: its owner has no keys")
	}
	root, err := os.OpenRoot(c.Folder)
	if err != nil {
		return nil, fmt.Errorf("cannot open the object store: %w", err)
	}
	s := &Store{root: root, maxUpload: c.MaxUpload, now: c.Now, keys: map[string]presigner.Credentials{c.Owner.AccessKeyID: c.Owner}}
	if s.maxUpload == 0 {
		s.maxUpload = DefaultMaxUpload
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Close closes the folder.
func (s *Store) Close() error { return s.root.Close() }

// ServeHTTP answers one request.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amz-Request-Id", requestID())
	var err error
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/":
		if err = s.assumeRole(w, r); err != nil {
			writeSTSError(w, err)
		}
		return
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		err = s.get(w, r)
	case r.Method == http.MethodPut:
		err = s.put(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT")
		err = errMethod
	}
	if err != nil {
		writeError(w, r, err)
	}
}

// object identifies the object of a request.
type object struct {
	bucket, key, version string
}

// parseObject finds the bucket in the host (bucket.localhost) or else in the path. path is decoded.
func parseObject(host, path, version string) object {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	key := strings.TrimPrefix(path, "/")
	if bucket, ok := strings.CutSuffix(strings.ToLower(host), ".localhost"); ok {
		return object{bucket, key, version}
	}
	bucket, key, _ := strings.Cut(key, "/")
	return object{bucket, key, version}
}

// credentials returns the keys of an access key id. It is the Lookup of presigner.Verify.
func (s *Store) credentials(accessKeyID string) (presigner.Credentials, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c, ok := s.keys[accessKeyID]
	return c, ok
}
