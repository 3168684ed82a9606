package presigner

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding"
	"fmt"
	"hash"
	"time"
)

const (
	algorithm     = "AWS4-HMAC-SHA256"
	scopeEnd      = "/aws4_request"
	secondsPerDay = 24 * 60 * 60
	maxUnix       = 253402300799 // 9999-12-31T23:59:59Z, the last second that fits YYYYMMDD
)

// signingKey is all that one (credentials, region, day) contributes to a URL,
// built once and then only read.
type signingKey struct {
	region string
	day    int64  // days since 1970-01-01 UTC
	date   string // "20130524"
	scope  string // "20130524/us-east-1/s3/aws4_request"
	head   string // the query up to the time of day: "X-Amz-Algorithm=…&X-Amz-Date=20130524T"
	hmac   hmacState
}

func newSigningKey(c *Credentials, service, region string, day int64) (*signingKey, error) {
	date := time.Unix(day*secondsPerDay, 0).UTC().Format("20060102")
	scope := date + "/" + region + "/" + service + scopeEnd
	head := []byte("X-Amz-Algorithm=" + algorithm + "&X-Amz-Credential=")
	head = appendEscapedQuery(head, c.AccessKeyID+"/"+scope)
	head = append(head, "&X-Amz-Date="+date+"T"...)
	state, err := newHMACState(deriveKey(c.SecretAccessKey, date, region, service))
	if err != nil {
		return nil, err
	}
	return &signingKey{region: region, day: day, date: date, scope: scope, head: string(head), hmac: state}, nil
}

// deriveKey is SigV4's key derivation: secret → date → region → service → request.
func deriveKey(secret, date, region, service string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{date, region, service, "aws4_request"} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return key
}

// hmacState is HMAC-SHA256 with its two key blocks already hashed (RFC 2104 §4):
// a MAC then costs its message's blocks and one more. It does not hold the key.
type hmacState struct {
	inner, outer []byte // marshalled SHA-256 states
}

func newHMACState(key []byte) (hmacState, error) {
	var block [sha256.BlockSize]byte
	pad := func(with byte) ([]byte, error) {
		copy(block[:], key) // a signing key is 32 bytes, shorter than a block
		for i := range block {
			block[i] ^= with
		}
		h := sha256.New()
		h.Write(block[:])
		clear(block[:])
		state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("cannot keep the HMAC state: %w", err)
		}
		return state, nil
	}
	inner, err := pad(0x36)
	if err != nil {
		return hmacState{}, err
	}
	outer, err := pad(0x5c)
	return hmacState{inner, outer}, err
}

// sum appends the HMAC of message to dst. h is any SHA-256; its state is overwritten.
func (s *hmacState) sum(dst []byte, h hash.Hash, message []byte) ([]byte, error) {
	resume := h.(encoding.BinaryUnmarshaler)
	if err := resume.UnmarshalBinary(s.inner); err != nil {
		return dst, fmt.Errorf("cannot resume the inner HMAC state: %w", err)
	}
	h.Write(message)
	n := len(dst)
	dst = h.Sum(dst)
	if err := resume.UnmarshalBinary(s.outer); err != nil {
		return dst[:n], fmt.Errorf("cannot resume the outer HMAC state: %w", err)
	}
	h.Write(dst[n:])
	return h.Sum(dst[:n]), nil
}
