package mqtt

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"jobgate/bench/peers/setup"
	"jobgate/gateway/jobs/mqtt/packet"
)

// broker forwards messages and answers requests with their own payload, changed by edit.
type broker struct {
	edit func(payload []byte) []byte

	mu   sync.Mutex
	subs map[string]net.Conn // by filter
}

// serveBroker returns the port of a broker.
func serveBroker(t *testing.T, edit func([]byte) []byte) (*broker, int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{edit: edit, subs: map[string]net.Conn{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = c.Close() }() // no longer read
				b.serve(c)
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); serving.Wait() })
	return b, ln.Addr().(*net.TCPAddr).Port
}

// serve answers a client until it disconnects.
func (b *broker) serve(c net.Conn) {
	buf, used := make([]byte, 1<<16), 0
	for {
		n, err := c.Read(buf[used:])
		if err != nil {
			return
		}
		used += n
		for {
			p, size, err := packet.Split(buf[:used], 0)
			if err != nil || size == 0 {
				break
			}
			b.handle(c, p)
			used = copy(buf, buf[size:used])
		}
	}
}

func (b *broker) handle(c net.Conn, p packet.Packet) {
	b.mu.Lock()
	defer b.mu.Unlock()
	write := func(c net.Conn, out []byte) { _, _ = c.Write(out) } // the client may have disconnected
	switch p.Type {
	case packet.CONNECT:
		write(c, packet.AppendConnack(nil, version, new(packet.Connack)))
	case packet.SUBSCRIBE:
		var s packet.Subscribe
		if packet.ParseSubscribe(p, version, &s) != nil {
			return
		}
		var reasons []packet.Reason
		for one, ok := s.Next(); ok; one, ok = s.Next() {
			b.subs[string(one.Filter)] = c
			reasons = append(reasons, 1)
		}
		write(c, packet.AppendSuback(nil, version, s.ID, reasons))
	case packet.PUBLISH:
		var m packet.Publish
		if packet.ParsePublish(p, version, &m) != nil {
			return
		}
		write(c, packet.AppendPuback(nil, version, packet.Puback{ID: m.ID}))
		to, topic := b.subs[string(m.Topic)], m.Topic
		if to == nil {
			to, topic = c, append(bytes.Clone(m.Topic), "/accepted"...)
		}
		write(to, packet.AppendPublish(nil, version, &packet.Publish{QoS: 1, ID: 1, Topic: topic, Payload: b.edit(bytes.Clone(m.Payload))}))
	}
}

// publish sends a message to the subscriber of its topic.
func (b *broker) publish(topic, payload string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = b.subs[topic].Write(packet.AppendPublish(nil, version, &packet.Publish{QoS: 1, ID: 7, Topic: []byte(topic), Payload: []byte(payload)}))
}

func same(b []byte) []byte { return b }

// TestLoad counts answers and forwarded messages, and detects an answer to another request.
func TestLoad(t *testing.T) {
	f := func(l Load, edit func([]byte) []byte, wrong bool) {
		t.Helper()
		_, l.Port = serveBroker(t, edit)
		l.Length = 300 * time.Millisecond
		var out bytes.Buffer
		if err := l.Run(&out); err != nil {
			t.Fatal(err)
		}
		var got Loaded
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.All == 0 || got.Rate <= 0 || got.P50 <= 0 || got.P99 < got.P50 || (got.Wrong > 0) != wrong {
			t.Errorf("%+v: %+v", l, got)
		}
	}
	ask := Load{Connections: 4, Window: 3, Group: "thing-", Digits: 2, Ask: "$next/get"}
	f(ask, same, false)
	f(ask, func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("1"), []byte("2")) }, true)
	f(ask, func([]byte) []byte { return []byte("{}") }, true)
	f(Load{Connections: 4, Window: 1, Size: 300}, func(b []byte) []byte {
		if len(b) != 300 {
			t.Errorf("a message has %d bytes", len(b))
		}
		return b
	}, false)
}

// TestHold notifies devices of jobs and collects the time of each notice.
func TestHold(t *testing.T) {
	b, port := serveBroker(t, same)
	in, orders := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Hold{Port: port, Connections: 3, Group: "thing-", First: 7, Digits: 2}.Run(in, out)
		_ = out.CloseWithError(err)
		ended <- err
	}()
	send, receive := json.NewEncoder(orders), json.NewDecoder(answers)
	do := func(o order, answer any) {
		t.Helper()
		if err := send.Encode(o); err != nil {
			t.Fatal(err)
		}
		if err := receive.Decode(answer); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := receive.Decode(&n); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	publish := func(i int, payload string) {
		b.publish("$aws/things/thing-"+[]string{"07", "08", "09"}[i]+"/jobs/notify-next", payload)
	}
	do(order{Expect: "job-"}, &n)
	begun := time.Now().UnixNano()
	publish(2, `{"execution":{"jobId":"other"}}`)
	publish(0, `{"execution":{"jobId":"job-1"}}`)
	publish(1, `{"execution":{"jobId":"job-2"}}`)
	var at []int64
	do(order{Collect: 2, Seconds: 60}, &at)
	if len(at) != 3 || at[0] < begun || at[1] < begun || at[2] != 0 {
		t.Errorf("the devices were notified at %v, want the first two after %d", at, begun)
	}
	do(order{}, &n)
	publish(0, `{"timestamp":1}`)
	do(order{Collect: 1, Seconds: 60}, &at)
	if at[0] == 0 || at[1] != 0 {
		t.Errorf("the devices were notified of no pending job at %v, want the first only", at)
	}
	_ = orders.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestProcesses gives each process at most as many connections as a gateway's MQTT listener accepts.
func TestProcesses(t *testing.T) {
	f := func(idle, files, processes, each int) {
		t.Helper()
		r := run{files: files, Options: &setup.Options{Idle: idle}}
		if n, per := r.processes(); n != processes || per != each {
			t.Errorf("%d connections with %d files: %d processes of %d, want %d of %d", idle, files, n, per, processes, each)
		}
	}
	f(20000, 20000, 3, 6666)
	f(20000, 1<<20, 1, 20000)
	f(300, 20000, 1, 300)
}

// TestOpenFails expects the error to name the connection that failed.
func TestOpenFails(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	_ = ln.Close()
	err = Load{Port: port, Connections: 1, Window: 1, Length: time.Second}.Run(io.Discard)
	if err == nil || !strings.Contains(err.Error(), "connection 0") {
		t.Errorf("a load on port %s: %v", strconv.Itoa(port), err)
	}
}
