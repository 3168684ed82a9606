package codesign

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"jobgate/gateway/source"
)

// File names a version of an object.
type File = source.Object

// ErrUnavailable says that there is no signature now; a later attempt may succeed.
var ErrUnavailable = errors.New("no signature now")

// ErrPending is an ErrUnavailable: the signature is being made.
var ErrPending = fmt.Errorf("%w: it is being made", ErrUnavailable)

// ErrNotAllowed says that no profile signs the file.
var ErrNotAllowed = errors.New("not allowed")

// ErrTooLarge says that the file is over limits.max_signed_object.
var ErrTooLarge = errors.New("too large")

// DefaultMaxObject is limits.max_signed_object's default, in bytes.
const DefaultMaxObject = 4 << 30

// stall is how long a read may make no progress.
const stall = 30 * time.Second

// hashBuffer is large enough: 64 KiB and 1 MiB hash at the same rate.
const hashBuffer = 128 << 10

// Digest is the hash and size that are signed. They never change for a version.
type Digest struct {
	Size   int64
	SHA256 [sha256.Size]byte
}

// Hash hashes r to its end, with a buffer of 128 KiB. More than limit bytes are
// ErrTooLarge.
func Hash(r io.Reader, limit int64) (Digest, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(onlyWriter{h}, onlyReader{io.LimitReader(r, limit+1)}, make([]byte, hashBuffer))
	if err != nil {
		return Digest{}, err
	}
	if n > limit {
		return Digest{}, ErrTooLarge
	}
	d := Digest{Size: n}
	h.Sum(d.SHA256[:0])
	return d, nil
}

// onlyReader and onlyWriter make io.CopyBuffer use the buffer.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// digest streams a file from S3 and hashes it.
func (s *Signer) digest(ctx context.Context, p *Profile, f File) (Digest, error) {
	body, err := p.Open(ctx, f, stall)
	if err != nil {
		return Digest{}, unavailable(err)
	}
	defer func() { _ = body.Close() }() // read only
	if body.Size > s.config.MaxObject {
		return Digest{}, tooLarge(f, body.Size, s.config.MaxObject)
	}
	if body.Size > largeObject {
		s.config.Log.Info("signing a large object", "object", f.String(), "bytes", body.Size, "profile", p.Name)
	}
	d, err := Hash(body, s.config.MaxObject)
	switch {
	case errors.Is(err, ErrTooLarge):
		return Digest{}, tooLarge(f, s.config.MaxObject+1, s.config.MaxObject)
	case err != nil:
		return Digest{}, unavailable(err)
	}
	return d, nil
}

// largeObject is the size in bytes from which a log line is written before reading.
const largeObject = 256 << 20

func tooLarge(f File, size, limit int64) error {
	return fmt.Errorf("cannot sign %q: %w: it has at least %d bytes, the limit is %d; see limits.max_signed_object", f.String(), ErrTooLarge, size, limit)
}

// unavailable marks errors that may be temporary.
func unavailable(err error) error {
	if errors.Is(err, source.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
