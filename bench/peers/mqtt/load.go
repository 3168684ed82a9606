package mqtt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"jobgate/gateway/jobs/mqtt/packet"
)

// Load is a closed loop at QoS 1: each connection has Window messages in flight. A message is complete when its sender
// has the PUBACK, and the message or the answer to it has been received.
type Load struct {
	Port, Connections, Window int
	Length                    time.Duration // of the measurement, after a warm-up of a tenth of it

	// For devices of jobgate: the i-th connection is the thing named Group followed by i with so many digits.
	Group  string
	Digits int
	Ask    string // the topic after /jobs/, such as "$next/get"; "": no devices
	Body   string // members of the payload besides the token, with a comma before each

	// Without Ask, each connection sends messages of so many bytes to the next one.
	Size int
}

// Loaded is the result of a Load.
type Loaded struct {
	Rate       float64 // messages a second
	P50, P99   time.Duration
	All, Wrong int64   // messages, including those before the measurement; Wrong: with a wrong or mismatched answer
	CPU        float64 // share of the generator's core used during the measurement, 0 to 1
	Size       int     // bytes of the payload of the last received message
}

// loading is a Load in progress.
type loading struct {
	*Load
	*clients
	flows     []flow // one per client
	measuring bool
	took      []time.Duration
	r         Loaded
}

// flow is the message sequence of one client.
type flow struct {
	topic            []byte
	payload          []byte
	token            int         // offset in payload of the message's number, which has tokenDigits digits
	sent             []time.Time // of the last Window messages
	next             int         // messages sent
	acked, delivered int
}

const tokenDigits = 9

// Run runs the load and writes its result as JSON.
func (l Load) Run(out io.Writer) error {
	c, err := newClients(l.Port)
	if err != nil {
		return err
	}
	defer c.close()
	r := &loading{Load: &l, clients: c}
	c.name = l.clientName
	c.filters = func(i int) []string {
		if l.Ask == "" {
			return []string{fmt.Sprintf("peers/%d", i)}
		}
		return []string{l.topic(i) + "/+", strings.TrimSuffix(l.topic(i), l.Ask) + "notify-next"}
	}
	c.message, c.acknowledged = r.received, func(one *client) { r.flows[one.index].acked++; r.advance(one.index) }
	if err := c.open(l.Connections); err != nil {
		return err
	}
	if err := r.play(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r.r)
}

func (l *Load) clientName(i int) string {
	if l.Ask == "" {
		return fmt.Sprintf("peer-%d", i)
	}
	return fmt.Sprintf("%s%0*d", l.Group, l.Digits, i)
}

// topic is what the i-th connection publishes to.
func (l *Load) topic(i int) string {
	if l.Ask == "" {
		return fmt.Sprintf("peers/%d", (i+1)%l.Connections)
	}
	return "$aws/things/" + l.clientName(i) + "/jobs/" + l.Ask
}

// payload returns a message with number 0 and the offset of its number.
func (l *Load) payload() (b []byte, token int) {
	const head = `{"clientToken":"`
	b = append([]byte(head), bytes.Repeat([]byte("0"), tokenDigits)...)
	b = append(append(append(b, '"'), l.Body...), '}')
	if l.Ask == "" {
		b = append(b, bytes.Repeat([]byte(" "), max(0, l.Size-len(b)))...)
	}
	return b, len(head)
}

// play keeps Window messages of each client in flight until the end of the measurement.
func (r *loading) play() error {
	for i := range r.all {
		f := flow{topic: []byte(r.topic(i)), sent: make([]time.Time, r.Window)}
		f.payload, f.token = r.payload()
		r.flows = append(r.flows, f)
	}
	for i := range r.all {
		for range r.Window {
			r.send(i)
		}
	}
	if err := r.until(time.Now().Add(r.Length / 10)); err != nil {
		return err
	}
	r.measuring = true
	begun, cpu, before := time.Now(), ownCPU(), r.r.All
	if err := r.until(begun.Add(r.Length)); err != nil {
		return err
	}
	took := time.Since(begun)
	r.r.CPU = (ownCPU() - cpu).Seconds() / took.Seconds()
	r.r.Rate = float64(r.r.All-before) / took.Seconds()
	if slices.Sort(r.took); len(r.took) > 0 {
		r.r.P50, r.r.P99 = r.took[len(r.took)/2], r.took[len(r.took)*99/100]
	}
	return nil
}

func (r *loading) until(end time.Time) error {
	last, arrived := time.Now(), r.r.All
	for now := last; now.Before(end); now = time.Now() {
		if err := r.step(100 * time.Millisecond); err != nil {
			return err
		}
		if r.r.All > arrived {
			last, arrived = now, r.r.All
		}
		if now.Sub(last) > answerTimeout {
			return fmt.Errorf("no message was completed for %s", answerTimeout)
		}
	}
	return nil
}

// send sends a client's next message.
func (r *loading) send(i int) {
	f := &r.flows[i]
	digits := f.payload[f.token : f.token+tokenDigits]
	for k, n := tokenDigits-1, f.next; k >= 0; k, n = k-1, n/10 {
		digits[k] = byte('0' + n%10)
	}
	f.sent[f.next%r.Window] = time.Now()
	f.next++
	r.publish(r.all[i], f.topic, f.payload)
}

// received handles a message or the answer to one. Both arrive in the order in which they were sent.
func (r *loading) received(one *client, m *packet.Publish) {
	i := one.index
	if r.Ask == "" {
		i = (i + r.Connections - 1) % r.Connections
	}
	f := &r.flows[i]
	kind, isAnswer := bytes.CutPrefix(m.Topic, f.topic)
	if r.Ask != "" && !isAnswer {
		return // a notify-next message
	}
	want := strconv.AppendInt(make([]byte, 0, 16), int64(f.delivered), 10)
	found := numberIn(m.Payload)
	if r.Ask != "" && string(kind) != "/accepted" || !bytes.Equal(bytes.TrimLeft(found, "0"), bytes.TrimLeft(want, "0")) {
		r.r.Wrong++
	}
	r.r.Size = len(m.Payload)
	f.delivered++
	r.advance(i)
}

// numberIn returns the message number in a payload.
func numberIn(payload []byte) []byte {
	const member = `"clientToken":"`
	at := bytes.Index(payload, []byte(member))
	if at < 0 || len(payload) < at+len(member)+tokenDigits {
		return []byte("none")
	}
	return payload[at+len(member) : at+len(member)+tokenDigits]
}

// advance sends a client's next message if its oldest is complete.
func (r *loading) advance(i int) {
	f := &r.flows[i]
	if min(f.acked, f.delivered) <= f.next-r.Window {
		return
	}
	if r.measuring {
		r.took = append(r.took, time.Since(f.sent[f.next%r.Window]))
	}
	r.r.All++
	r.send(i)
}

// ownCPU returns the CPU time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
