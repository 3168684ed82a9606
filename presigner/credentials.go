package presigner

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Credentials are the keys of one session, as STS AssumeRole returns them, or a
// user's long-lived keys. They print redacted: they show only the access key id,
// which is public in every URL it signs.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // "" for long-lived keys
	Expires         time.Time // when the session ends; zero: never
}

// ErrCredentials is returned for credentials that cannot sign.
var ErrCredentials = errors.New("presigner: unusable credentials")

func (c Credentials) validate() error {
	switch {
	case c.AccessKeyID == "":
		return fmt.Errorf("%w: the access key id is empty", ErrCredentials)
	case c.SecretAccessKey == "":
		return fmt.Errorf("%w: the secret access key of %q is empty", ErrCredentials, c.AccessKeyID)
	}
	return nil
}

// String returns the access key id and the expiry, never a secret.
func (c Credentials) String() string {
	expires := "never"
	if !c.Expires.IsZero() {
		expires = c.Expires.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("Credentials(%s, secret redacted, expires %s)", c.AccessKeyID, expires)
}

// GoString is String, so that %#v shows no secret either.
func (c Credentials) GoString() string { return c.String() }

// Format prints String for every verb, so that %x or %q of the struct cannot
// print a field.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue is what slog prints: String.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is what encoding/json and other encoders print: String.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
