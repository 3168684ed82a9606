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

// Check judges a complete answer. Deep also parses JSON, which costs about as much as
// the rest of a request and so is done for a sample only. right are the statuses that are, nil for 200 to 299.
func Check(resp *fasthttp.Response, right map[int]bool, deep bool) (Kind, error) {
	code := resp.StatusCode()
	if right != nil && !right[code] || right == nil && (code < 200 || code > 299) {
		return WrongStatus, statusError(code)
	}
	body := resp.Body()
	isJSON := saysJSON(resp.Header.ContentType())
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
	if isJSON && (!closesJSON(body) || deep && !json.Valid(body)) {
		return NotJSON, errNotJSON
	}
	return Good, nil
}

// saysJSON says whether a Content-Type is that of one JSON text, and not of several as
// in application/x-ndjson.
func saysJSON(contentType []byte) bool {
	media, _, _ := bytes.Cut(contentType, []byte(";"))
	media = bytes.TrimSpace(media)
	for _, end := range jsonTypes {
		if n := len(media) - len(end); n >= 0 && bytes.EqualFold(media[n:], end) {
			return true
		}
	}
	return false
}

// statusError is a status that is not one of the right ones.
type statusError int

func (e statusError) Error() string {
	return "the answer's status is " + strconv.Itoa(int(e)) + " " + fasthttp.StatusMessage(int(e))
}

// hasPlaceholder says whether body still has a placeholder, also one whose characters
// are JSON escapes, also in a document that is itself a string inside JSON. It runs at
// the speed of a substring search and allocates only when there are such escapes.
func hasPlaceholder(body []byte) bool {
	if bytes.Contains(body, placeholder) {
		return true
	}
	// A string in a string in a string is as deep as any API nests.
	for depth := 0; depth < 3 && bytes.Contains(body, escapedUnit); depth++ {
		body = unescape(body)
		if bytes.Contains(body, placeholder) {
			return true
		}
	}
	return false
}

// unescape returns body with its JSON escapes undone once, wherever they are. Only
// ASCII escapes matter to the search; the others become a question mark.
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

// closesJSON says whether a body that begins as an object, array or string ends as
// one: the cheap sign that it is whole.
func closesJSON(body []byte) bool {
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

// Shed says whether an answer turns its client away in good order: 429 or 503, with a time to come back.
func Shed(resp *fasthttp.Response) bool {
	code := resp.StatusCode()
	return (code == fasthttp.StatusTooManyRequests || code == fasthttp.StatusServiceUnavailable) &&
		len(resp.Header.Peek(fasthttp.HeaderRetryAfter)) > 0
}
