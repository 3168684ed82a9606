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

// File reads documents from one folder and what lies below it. Nothing outside is ever
// opened, whatever a URL or a symbolic link says ([os.Root]); links within the folder are
// followed, as in a mounted ConfigMap. Only regular files are documents.
type File struct {
	folder string
	now    func() time.Time
}

// NewFile returns a source for the documents of a folder, an absolute path such as
// [Pattern.Folder] returns. The folder may be made, mounted or replaced later: it is
// opened anew for each document.
func NewFile(folder string) (*File, error) {
	if !filepath.IsAbs(folder) {
		return nil, fmt.Errorf("cannot read documents from folder %q: not an absolute path", folder)
	}
	return &File{folder: filepath.Clean(folder), now: time.Now}, nil
}

// Name returns "file".
func (*File) Name() string { return "file" }

// Load reads one file. Its ETag tells the file's identity, size and times; a file that
// changed a moment ago has none, as it may change again within its clock's tick.
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
		// No mount is no statement about the documents in it.
		return Document{}, failure(ErrUnavailable, r.URL, "folder %q: %w", f.folder, pathCause(err))
	}
	defer func() { _ = root.Close() }()
	// Look before opening: to open a device may do something.
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

// relative returns the path below the folder that a URL names, or why it names none.
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

// readFile reads the file that info was found of, in one piece.
func readFile(ctx context.Context, root *os.Root, name string, info fs.FileInfo, limit int64) ([]byte, error) {
	// O_NONBLOCK: should it be a FIFO by now, opening it does not wait for a writer.
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

// unchanged returns an error if the open file is not, or not as, info says.
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

// fileClass sorts an error of [os.Root] and the file system.
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
	var escape *fs.PathError // the one error that os.Root makes itself: the path leaves the folder
	if errors.As(err, &escape) {
		return ErrForbidden
	}
	return ErrUnavailable
}

// pathCause leaves out the path, which the message has already.
func pathCause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// settled is how long ago a file must have changed for its times to tell it from its next
// version.
const settled = 2 * time.Second

// contentTypes are few and fixed: what the machine's own table says would vary.
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
