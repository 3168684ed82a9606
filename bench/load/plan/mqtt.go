package plan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MQTT reports whether the target speaks MQTT. Each connection of such a run is a separate device; the paths are topics,
// and a request is answered on its topic's /accepted or /rejected.
func (p *Plan) MQTT() bool {
	scheme, _, _ := strings.Cut(p.URL, "://")
	return strings.EqualFold(scheme, "mqtt") || strings.EqualFold(scheme, "mqtts")
}

// clientToken is the member by which the generator recognizes an answer.
const clientToken = `{"clientToken":"`

// newPublish compiles a request over MQTT: path is a slash and the topic, body the payload, a JSON object or nothing.
func newPublish(s *Step, shared []Header, known variables) (*Request, error) {
	if s.Method != "" && s.Method != "GET" && s.Method != "PUBLISH" {
		return nil, fmt.Errorf("method %q is not valid over MQTT; use PUBLISH", s.Method)
	}
	if len(s.Headers)+len(shared) > 0 || len(s.Status) > 0 {
		return nil, errors.New("an MQTT target has no headers and no statuses")
	}
	topic := strings.TrimPrefix(s.Path, "/")
	if !strings.Contains(topic, "/jobs/") || strings.ContainsAny(topic, "+#? \x00") {
		return nil, fmt.Errorf("path %q is not a topic of jobs, as in /$aws/things/{thingName}/jobs/$next/get", s.Path)
	}
	body := strings.TrimSpace(s.Body)
	if body == "" {
		body = "{}"
	}
	if body[0] != '{' || body[len(body)-1] != '}' || strings.Contains(body, `"clientToken"`) {
		return nil, errors.New("an MQTT body must be a JSON object without a clientToken, which the generator adds")
	}
	rest := strings.TrimSpace(body[1:])
	if rest != "}" {
		rest = "," + rest
	}
	r := &Request{Method: "PUBLISH", hasBody: true}
	var err error
	if r.head, err = compile(topic, known); err != nil {
		return nil, err
	}
	if r.body, err = compile(rest, known); err != nil {
		return nil, err
	}
	r.Captured = append(r.head.captured(), r.body.captured()...)
	return r, nil
}

// AppendTopic appends the topic that the request is published to.
func (r *Request) AppendTopic(dst []byte, v *Values) []byte { return r.head.appendTo(dst, v) }

// AppendPayload appends the request's payload with a client token, and returns the position of the token's member in it.
func (r *Request) AppendPayload(dst []byte, token uint64, v *Values) (out []byte, from, to int) {
	from = len(dst) + 1
	dst = append(strconv.AppendUint(append(dst, clientToken...), token, 10), '"')
	to = len(dst)
	return r.body.appendTo(dst, v), from, to
}

// AppendFilter appends a topic filter for a request's answers. Values that are not known when the device subscribes become
// wildcards.
func (r *Request) AppendFilter(dst []byte, v *Values) []byte {
	for i := range r.head.parts {
		switch p := &r.head.parts[i]; {
		case p.variable == "":
			dst = append(dst, p.literal...)
		case p.slot == slotThing:
			dst = v.Plan.Things.AppendTo(dst, v.Thing)
		default:
			dst = append(dst, '+')
		}
	}
	return append(dst, "/+"...)
}

// UsesThing reports whether the topic contains the thing's name.
func (r *Request) UsesThing() bool {
	for _, p := range r.head.parts {
		if p.variable != "" && p.slot == slotThing {
			return true
		}
	}
	return false
}

// maxKeepAlive is the largest value that fits into CONNECT.
const maxKeepAlive = 65535 * time.Second

// validateMQTT rejects settings that do not work with an MQTT target.
func (p *Plan) validateMQTT() error {
	if !p.MQTT() {
		return nil
	}
	if p.MQTTKeepAlive < 0 || p.MQTTKeepAlive > maxKeepAlive || p.MQTTKeepAlive%time.Second != 0 {
		return fmt.Errorf("cannot ask for a keep alive of %s: whole seconds, up to %s; see --mqtt-keep-alive", p.MQTTKeepAlive, maxKeepAlive)
	}
	if p.KeepAlive < 1 {
		return errors.New("cannot end a connection after each request: an MQTT device keeps its own; see --keep-alive, --reconnect-after")
	}
	if p.Things.Count > 1 && p.Things.Count < uint64(p.Connections) {
		return fmt.Errorf("cannot give %d connections the names of %d things: each MQTT connection is a device; see --things", p.Connections, p.Things.Count)
	}
	return nil
}
