package answer

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/valyala/fasthttp"
)

var (
	placeholder = []byte("${aws:iot:")
	escapedUnit = []byte(`\u00`)
	jsonTypes   = [][]byte{[]byte("/json"), []byte("+json"), []byte("/x-amz-json-1.0"), []byte("/x-amz-json-1.1")}
)

// Check judges a complete answer. deep also parses JSON, which costs about as much as
// the rest of a request and so is done for a sample only. accepted are the statuses of good answers, nil for 200 to 299.
func Check(resp *fasthttp.Response, accepted map[int]bool, deep bool) (Kind, error) {
	code := resp.StatusCode()
	if accepted != nil && !accepted[code] || accepted == nil && (code < 200 || code > 299) {
		return WrongStatus, statusError(code)
	}
	body := resp.Body()
	isJSON := declaresJSON(resp.Header.ContentType())
	if len(body) == 0 {
		if isJSON && !resp.SkipBody && code != fasthttp.StatusNoContent && code != fasthttp.StatusNotModified {
			return NotJSON, errNotJSON
		}
		return Good, nil
	}
	return checkBody(body, isJSON, deep)
}

// CheckMessage judges the payload of an accepted answer over MQTT, which is JSON.
func CheckMessage(payload []byte, deep bool) (Kind, error) {
	if len(payload) == 0 {
		return NotJSON, errNotJSON
	}
	return checkBody(payload, true, deep)
}

func checkBody(body []byte, isJSON, deep bool) (Kind, error) {
	if hasPlaceholder(body) {
		return PlaceholderLeft, errPlaceholder
	}
	if isJSON && (!endsLikeJSON(body) || deep && !json.Valid(body)) {
		return NotJSON, errNotJSON
	}
	return Good, nil
}

// declaresJSON reports whether a Content-Type is that of a single JSON text, not of several as
// in application/x-ndjson.
func declaresJSON(contentType []byte) bool {
	media, _, _ := bytes.Cut(contentType, []byte(";"))
	media = bytes.TrimSpace(media)
	for _, end := range jsonTypes {
		if n := len(media) - len(end); n >= 0 && bytes.EqualFold(media[n:], end) {
			return true
		}
	}
	return false
}

// statusError is the status of an answer that is not good.
type statusError int

func (e statusError) Error() string {
	return "the answer's status is " + strconv.Itoa(int(e)) + " " + fasthttp.StatusMessage(int(e))
}

// hasPlaceholder reports whether body still has a placeholder, even if it is written with
// JSON escapes or is in a document that is itself a string inside JSON. It runs at
// the speed of a substring search and allocates only if there are such escapes.
func hasPlaceholder(body []byte) bool {
	if bytes.Contains(body, placeholder) {
		return true
	}
	// No API nests strings deeper than three levels.
	for depth := 0; depth < 3 && bytes.Contains(body, escapedUnit); depth++ {
		body = unescape(body)
		if bytes.Contains(body, placeholder) {
			return true
		}
	}
	return false
}

// unescape returns body with one level of JSON escapes decoded. Only ASCII escapes
// matter to the search; the others become a question mark.
func unescape(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' || i+1 == len(body) {
			out = append(out, body[i])
			continue
		}
		i++
		if body[i] != 'u' || i+4 >= len(body) {
			out = append(out, body[i])
			continue
		}
		r, ok := hex4(body[i+1 : i+5])
		if !ok {
			out = append(out, 'u')
			continue
		}
		if r > 0x7f {
			r = '?'
		}
		out = append(out, byte(r))
		i += 4
	}
	return out
}

func hex4(b []byte) (n int, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | int(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// endsLikeJSON reports whether a body that begins as an object, array or string ends as
// one: a cheap check that it is complete.
func endsLikeJSON(body []byte) bool {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return false
	}
	last := body[len(body)-1]
	switch body[0] {
	case '{':
		return last == '}'
	case '[':
		return last == ']'
	case '"':
		return last == '"' && len(body) > 1
	}
	return true
}

// Shed reports whether the target shed the request properly: 429 or 503, with Retry-After.
func Shed(resp *fasthttp.Response) bool {
	code := resp.StatusCode()
	return (code == fasthttp.StatusTooManyRequests || code == fasthttp.StatusServiceUnavailable) &&
		len(resp.Header.Peek(fasthttp.HeaderRetryAfter)) > 0
}
