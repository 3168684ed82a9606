package objectstore

import (
	"crypto/rand"
	"encoding/xml"
	"errors"
	"io/fs"
	"net/http"
)

// storeError is an answer in S3's or STS's XML.
type storeError struct {
	status        int
	code, message string
}

func (e *storeError) Error() string { return e.code + ": " + e.message }

// S3's codes and messages; https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
var (
	errDenied      = &storeError{http.StatusForbidden, "AccessDenied", "Access Denied"}
	errExpired     = &storeError{http.StatusForbidden, "AccessDenied", "Request has expired"}
	errNotYetValid = &storeError{http.StatusForbidden, "AccessDenied", "Request is not valid yet"}
	errSignature   = &storeError{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
	errAccessKey   = &storeError{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	errSkew        = &storeError{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}
	errToken       = &storeError{http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise invalid."}
	errMalformed   = &storeError{http.StatusBadRequest, "AuthorizationQueryParametersError", "The signature's parameters are missing or malformed."}
	errNoBucket    = &storeError{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	errNoKey       = &storeError{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	errNoVersion   = &storeError{http.StatusNotFound, "NoSuchVersion", "The specified version does not exist."}
	errMethod      = &storeError{http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource."}
	errTooLarge    = &storeError{http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"}
	errBadKey      = &storeError{http.StatusBadRequest, "InvalidArgument", "This store cannot keep an object of that key"}
	errInternal    = &storeError{http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again."}
)

// asStoreError returns err as an answer; an unexpected error is InternalError, without details.
func asStoreError(err error) *storeError {
	var e *storeError
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errNoKey
	}
	return errInternal
}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	e := asStoreError(err)
	body := struct {
		XMLName   xml.Name `xml:"Error"`
		Code      string
		Message   string
		Resource  string
		RequestID string `xml:"RequestId"`
	}{Code: e.code, Message: e.message, Resource: r.URL.Path, RequestID: w.Header().Get("X-Amz-Request-Id")}
	writeXML(w, e.status, body)
}

func writeSTSError(w http.ResponseWriter, err error) {
	e := asStoreError(err)
	var body struct {
		XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error   struct{ Type, Code, Message string }
		ID      string `xml:"RequestId"`
	}
	body.Error.Type, body.Error.Code, body.Error.Message = "Sender", e.code, e.message
	body.ID = w.Header().Get("X-Amz-Request-Id")
	writeXML(w, e.status, body)
}

func writeXML(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(xml.Header)) // the client may have disconnected
	_ = xml.NewEncoder(w).Encode(body)
}

// requestID returns sixteen random letters and digits.
func requestID() string { return rand.Text()[:16] }
