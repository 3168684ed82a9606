package objectstore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// versions and uploads are folders beside the buckets. A bucket's name cannot begin with a dot.
const (
	versions = ".versions"
	uploads  = ".uploads"
)

// file returns the path of o's file, relative to the folder.
func (o object) file() (string, error) {
	if o.bucket == "" || strings.HasPrefix(o.bucket, ".") || !fs.ValidPath(o.bucket) || strings.Contains(o.bucket, "/") {
		return "", errNoBucket
	}
	// A key such as a/../b is a valid object name in S3, but not a file in a folder.
	if !fs.ValidPath(o.key) || o.key == "." || strings.ContainsAny(o.key, "\x00\\") {
		return "", errNoKey
	}
	if o.version == "" || o.version == "null" {
		return path.Join(o.bucket, o.key), nil
	}
	if !fs.ValidPath(o.version) || strings.ContainsAny(o.version, "/.\x00\\") {
		return "", errNoVersion
	}
	return path.Join(versions, o.bucket, o.key, o.version), nil
}

// get answers GET and HEAD; http.ServeContent handles ranges and conditions.
func (s *Store) get(w http.ResponseWriter, r *http.Request) error {
	o, err := s.authorize(r)
	if err != nil {
		return err
	}
	name, err := o.file()
	if err != nil {
		return err
	}
	f, info, err := s.open(name)
	if err != nil {
		return s.missing(o)
	}
	defer func() { _ = f.Close() }() // it was only read
	h := w.Header()
	h.Set("ETag", etag(info))
	h.Set("Content-Type", contentType(o.key))
	if o.version != "" {
		h.Set("X-Amz-Version-Id", o.version)
	}
	http.ServeContent(w, r, "", info.ModTime(), f.(io.ReadSeeker))
	return nil
}

// open opens a regular file.
func (s *Store) open(name string) (fs.File, fs.FileInfo, error) {
	f, err := s.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// missing returns the error for an object that does not exist: no bucket, no key or no version.
func (s *Store) missing(o object) error {
	if info, err := s.root.Stat(o.bucket); err != nil || !info.IsDir() {
		return errNoBucket
	}
	if o.version != "" {
		return errNoVersion
	}
	return errNoKey
}

// put stores the body under a new version. It writes a temporary file and renames it, so that no reader sees a partial file.
func (s *Store) put(w http.ResponseWriter, r *http.Request) error {
	o, err := s.authorize(r)
	if err != nil {
		return err
	}
	o.version = ""
	name, err := o.file()
	if errors.Is(err, errNoKey) {
		return errBadKey
	}
	if err != nil {
		return err
	}
	if info, err := s.root.Stat(o.bucket); err != nil || !info.IsDir() {
		return errNoBucket
	}
	temporary, err := s.receive(w, r)
	if err != nil {
		return err
	}
	defer func() { _ = s.root.Remove(temporary) }() // it remains only after an error
	o.version = rand.Text()
	versioned, err := o.file()
	if err != nil {
		return err
	}
	if err := errors.Join(s.root.MkdirAll(path.Dir(name), 0o755), s.root.MkdirAll(path.Dir(versioned), 0o755)); err != nil {
		return errBadKey // a path prefix of the key is an object, or a segment is too long for a file name
	}
	if err := s.root.Link(temporary, versioned); err != nil {
		return fmt.Errorf("cannot keep version %s: %w", o.version, err)
	}
	if err := s.root.Rename(temporary, name); err != nil {
		return errBadKey
	}
	info, err := s.root.Stat(name)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(info))
	w.Header().Set("X-Amz-Version-Id", o.version)
	w.WriteHeader(http.StatusOK)
	return nil
}

// receive writes the body to a temporary file and returns its name.
func (s *Store) receive(w http.ResponseWriter, r *http.Request) (string, error) {
	if err := s.root.MkdirAll(uploads, 0o755); err != nil {
		return "", err
	}
	temporary := path.Join(uploads, rand.Text())
	f, err := s.root.Create(temporary)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, http.MaxBytesReader(w, r.Body, s.maxUpload))
	if err = errors.Join(err, f.Close()); err == nil {
		return temporary, nil
	}
	_ = s.root.Remove(temporary) // the first error is reported
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", errTooLarge
	}
	return "", err
}

// etag returns a value that changes with the object. In S3 it is a hash for small objects, and opaque for large ones.
func etag(info fs.FileInfo) string {
	return fmt.Sprintf(`"%x-%x"`, info.ModTime().UnixNano(), info.Size())
}

func contentType(key string) string {
	if t := mime.TypeByExtension(path.Ext(key)); t != "" {
		return t
	}
	return "application/octet-stream"
}
