package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// File reads documents from a folder and its subfolders. It never opens a file outside,
// not even by symbolic links ([os.Root]); links within the folder are followed, as in a
// mounted ConfigMap. Only regular files are documents.
type File struct {
	folder string
	now    func() time.Time
}

// NewFile returns a source for the documents of a folder, an absolute path such as
// [Pattern.Folder] returns. The folder may be created, mounted or replaced later: it is
// opened for each document.
func NewFile(folder string) (*File, error) {
	if !filepath.IsAbs(folder) {
		return nil, fmt.Errorf("cannot read documents from folder %q: not an absolute path", folder)
	}
	return &File{folder: filepath.Clean(folder), now: time.Now}, nil
}

// Name returns "file".
func (*File) Name() string { return "file" }

// Load reads one file. Its ETag is the file's identity, size and times. A file changed
// within the last seconds has none, as its times may not show another change.
func (f *File) Load(ctx context.Context, r Request) (Document, error) {
	name, reason := f.relative(r.URL)
	if reason != "" {
		return Document{}, failure(ErrNotFound, r.URL, "%s", reason)
	}
	if err := ctx.Err(); err != nil {
		return Document{}, failure(ErrUnavailable, r.URL, "%w", err)
	}
	root, err := os.OpenRoot(f.folder)
	if err != nil {
		// A missing mount does not mean that its documents do not exist.
		return Document{}, failure(ErrUnavailable, r.URL, "folder %q: %w", f.folder, pathCause(err))
	}
	defer func() { _ = root.Close() }()
	// Check before opening: opening a device may have an effect.
	info, err := root.Stat(name)
	if err == nil {
		err = regular(info)
	}
	if err != nil {
		return Document{}, failure(fileClass(err), r.URL, "%w", pathCause(err))
	}
	doc := Document{ETag: fileTag(info, f.now()), LastModified: info.ModTime().UTC().Format(http.TimeFormat)}
	if doc.ETag != "" && doc.ETag == r.ETag {
		doc.NotModified = true
		return doc, nil
	}
	if info.Size() > r.limit() {
		return Document{}, tooLarge(&r)
	}
	doc.ContentType = contentTypes[strings.ToLower(path.Ext(name))]
	doc.Body, err = readFile(ctx, root, name, info, r.limit())
	if errors.Is(err, ErrTooLarge) {
		return Document{}, tooLarge(&r)
	}
	if err != nil {
		return Document{}, failure(fileClass(err), r.URL, "%w", pathCause(err))
	}
	return doc, nil
}

// relative returns a URL's path relative to the folder, or the reason why it has none.
func (f *File) relative(u string) (name, reason string) {
	rest, ok := strings.CutPrefix(u, "file:///")
	if !ok {
		return "", "not a file's URL"
	}
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil || decoded == "" || decoded == "." || decoded == ".." || strings.ContainsAny(decoded, "/\\\x00") {
			return "", "no file has such a path"
		}
		segments[i] = decoded
	}
	name, err := filepath.Rel(f.folder, "/"+strings.Join(segments, "/"))
	if err != nil || !filepath.IsLocal(name) {
		return "", "outside of its folder"
	}
	return name, ""
}

// readFile reads the file described by info.
func readFile(ctx context.Context, root *os.Root, name string, info fs.FileInfo, limit int64) ([]byte, error) {
	// O_NONBLOCK: if it is a FIFO by now, do not wait for a writer.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if err := unchanged(file, info); err != nil {
		return nil, err
	}
	body, err := readLimited(&contextReader{ctx, file}, limit)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) != info.Size() {
		return nil, errChanged
	}
	return body, unchanged(file, info)
}

var (
	errChanged    = errors.New("the file changes while it is read")
	errNotRegular = errors.New("not a regular file")
)

// unchanged returns an error if the open file is not the one described by info, or has changed.
func unchanged(file *os.File, info fs.FileInfo) error {
	now, err := file.Stat()
	if err != nil {
		return err
	}
	if err := regular(now); err != nil {
		return err
	}
	if !os.SameFile(now, info) || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
		return errChanged
	}
	return nil
}

func regular(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w (%v)", errNotRegular, info.Mode().Type())
	}
	return nil
}

// fileClass returns the class of an error of [os.Root] or the file system.
func fileClass(err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG),
		errors.Is(err, syscall.EINVAL), errors.Is(err, errNotRegular):
		return ErrNotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ELOOP):
		return ErrForbidden
	case errors.Is(err, errChanged), errors.As(err, &errno):
		return ErrUnavailable
	}
	var escape *fs.PathError // os.Root's own error: the path leaves the folder
	if errors.As(err, &escape) {
		return ErrForbidden
	}
	return ErrUnavailable
}

// pathCause removes the path, which is in the message already.
func pathCause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// settled is how old a change must be for the file's times to distinguish it from the
// next change.
const settled = 2 * time.Second

// contentTypes is a fixed list, because the system's table differs between machines.
var contentTypes = map[string]string{
	".json": "application/json",
	".yaml": "application/yaml",
	".yml":  "application/yaml",
	".toml": "application/toml",
	".xml":  "application/xml",
	".txt":  "text/plain; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".cbor": "application/cbor",
}

// contextReader stops between two reads when its context ends.
type contextReader struct {
	ctx context.Context // lives as long as one call
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
