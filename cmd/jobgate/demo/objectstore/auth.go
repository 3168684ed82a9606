package objectstore

import (
	"errors"
	"net/http"

	"jobgate/presigner"
)

// authorize returns the object of a request if the signature, in the query or in a header, is valid.
func (s *Store) authorize(r *http.Request) (object, error) {
	if r.Header.Get("Authorization") != "" {
		// S3's canonical path is the decoded path escaped once, and VerifyHeader escapes it once. A key that contains ? can
		// only be requested by a presigned URL.
		uri := r.URL.Path + "?" + r.URL.RawQuery
		if _, err := s.verifyHeader(r, "s3", uri, nil); err != nil {
			return object{}, err
		}
		return parseObject(r.Host, r.URL.Path, r.URL.Query().Get("versionId")), nil
	}
	if !r.URL.Query().Has("X-Amz-Signature") {
		return object{}, errDenied
	}
	v, err := presigner.Verify(presigner.Verification{
		Method: r.Method, Host: r.Host, RequestURI: r.RequestURI, Header: r.Header.Get, Time: s.now(), Lookup: s.credentials,
	})
	if errors.Is(err, presigner.ErrExpired) {
		return object{}, errExpired
	}
	if err != nil {
		return object{}, signatureError(err)
	}
	return parseObject(r.Host, v.Path, v.VersionID), nil
}

// verifyHeader checks a request to service that is signed in its Authorization header, and returns the signer's keys.
func (s *Store) verifyHeader(r *http.Request, service, uri string, body []byte) (presigner.Credentials, error) {
	v, err := presigner.VerifyHeader(presigner.HeaderVerification{
		Method: []byte(r.Method), RequestURI: []byte(uri), Body: body, Time: s.now(), Lookup: s.credentials,
		Values: func(name string) (values [][]byte) {
			if name == "host" {
				return [][]byte{[]byte(r.Host)}
			}
			for _, value := range r.Header.Values(name) {
				values = append(values, []byte(value))
			}
			return values
		},
	})
	if errors.Is(err, presigner.ErrExpired) || errors.Is(err, presigner.ErrNotYetValid) {
		return presigner.Credentials{}, errSkew // or the session has expired; either way the caller signs again
	}
	if err != nil {
		return presigner.Credentials{}, signatureError(err)
	}
	if v.Service != service {
		return presigner.Credentials{}, errMalformed
	}
	caller, _ := s.credentials(v.AccessKeyID) // a session that expires right now has no token
	return caller, nil
}

// signatureError maps an error of presigner's verifiers to AWS's answer.
func signatureError(err error) error {
	switch {
	case errors.Is(err, presigner.ErrSignature):
		return errSignature
	case errors.Is(err, presigner.ErrNotYetValid):
		return errNotYetValid
	case errors.Is(err, presigner.ErrAccessKey):
		return errAccessKey
	case errors.Is(err, presigner.ErrToken):
		return errToken
	}
	return errMalformed
}
