package objectstore

import (
	"crypto/rand"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"jobgate/presigner"
)

// Limits of STS; https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html.
const (
	minSession     = 15 * time.Minute
	maxSession     = 12 * time.Hour
	maxChained     = time.Hour
	defaultSession = time.Hour
	maxSTSBody     = 64 << 10
)

var (
	roleARN     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/([\w+=,.@/-]+)$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// assumeRoleResponse is the response in the query protocol's XML.
type assumeRoleResponse struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
	Result  struct {
		Credentials struct {
			AccessKeyID     string `xml:"AccessKeyId"`
			SecretAccessKey string
			SessionToken    string
			Expiration      string
		}
		AssumedRoleUser struct {
			ARN  string `xml:"Arn"`
			Role string `xml:"AssumedRoleId"`
		}
	} `xml:"AssumeRoleResult"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

// assumeRole answers POST / of the query protocol. Any request with a valid signature gets the keys of a session, for any role.
func (s *Store) assumeRole(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSTSBody))
	if err != nil {
		return &storeError{http.StatusBadRequest, "ValidationError", "The request is too large"}
	}
	caller, err := s.verifyHeader(r, "sts", r.RequestURI, body)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("Action") != "AssumeRole" {
		return &storeError{http.StatusBadRequest, "InvalidAction", "Could not find operation " + strconv.Quote(form.Get("Action"))}
	}
	name := roleARN.FindStringSubmatch(form.Get("RoleArn"))
	if name == nil || !sessionName.MatchString(form.Get("RoleSessionName")) {
		return &storeError{http.StatusBadRequest, "ValidationError", "RoleArn or RoleSessionName is missing or malformed"}
	}
	duration, err := sessionDuration(form.Get("DurationSeconds"), caller.SessionToken != "")
	if err != nil {
		return err
	}
	session := s.newSession(duration)
	var out assumeRoleResponse
	out.Result.Credentials.AccessKeyID = session.AccessKeyID
	out.Result.Credentials.SecretAccessKey = session.SecretAccessKey
	out.Result.Credentials.SessionToken = session.SessionToken
	out.Result.Credentials.Expiration = session.Expires.Format(time.RFC3339)
	out.Result.AssumedRoleUser.ARN = "arn:aws:sts::" + name[1] + ":assumed-role/" + name[2] + "/" + form.Get("RoleSessionName")
	out.Result.AssumedRoleUser.Role = "AROADEMO:" + form.Get("RoleSessionName")
	out.RequestID = w.Header().Get("X-Amz-Request-Id")
	writeXML(w, http.StatusOK, out)
	return nil
}

// sessionDuration parses DurationSeconds. A caller that is itself a session gets an hour at most (role chaining).
func sessionDuration(text string, chained bool) (time.Duration, error) {
	duration, most := defaultSession, maxSession
	if chained {
		most = maxChained
	}
	if text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil {
			seconds = -1
		}
		duration = time.Duration(seconds) * time.Second
	}
	if duration < minSession || duration > most {
		return 0, &storeError{http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."}
	}
	return duration, nil
}

// newSession creates keys that are valid for duration, and deletes those that have expired.
func (s *Store) newSession(duration time.Duration) presigner.Credentials {
	now := s.now().UTC()
	c := presigner.Credentials{
		AccessKeyID:     "ASIA" + rand.Text()[:16],
		SecretAccessKey: rand.Text() + rand.Text(),
		SessionToken:    sessionToken(),
		Expires:         now.Add(duration).Truncate(time.Second),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, old := range s.keys {
		if !old.Expires.IsZero() && now.After(old.Expires) {
			delete(s.keys, id)
		}
	}
	s.keys[c.AccessKeyID] = c
	return c
}

// sessionToken returns a token as long as those of STS, a few hundred bytes, so that the demo's URLs look real.
func sessionToken() string {
	var b strings.Builder
	for b.Len() < 300 {
		b.WriteString(rand.Text())
	}
	return b.String()
}
