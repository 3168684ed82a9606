//go:build !race

package packet_test

import (
	"testing"

	"jobgate/gateway/jobs/mqtt/packet"
)

// TestAllocations: handling a message allocates nothing.
func TestAllocations(t *testing.T) {
	subscribe := raw(t, "8209 0001 02 0b 05 0001 'a' 01")
	publish := raw(t, "3210 0001 'a' 0001 0a 09 0007 '1234567'")
	connect := raw(t, "1013 0004 'MQTT' 05 02 003c 05 11 0000003c 0001 'a'")
	out := make([]byte, 0, 4096)
	reasons := []packet.Reason{packet.GrantedQoS1}
	n := testing.AllocsPerRun(100, func() {
		var c packet.Connect
		var m packet.Publish
		var s packet.Subscribe
		one, _, _ := packet.Split(connect, 0)
		if packet.ParseConnect(one.Body, &c) != nil {
			t.Fatal("connect")
		}
		two, _, _ := packet.Split(publish, 0)
		if packet.ParsePublish(two, packet.V5, &m) != nil {
			t.Fatal("publish")
		}
		three, _, _ := packet.Split(subscribe, 0)
		if packet.ParseSubscribe(three, packet.V5, &s) != nil {
			t.Fatal("subscribe")
		}
		for _, ok := s.Next(); ok; _, ok = s.Next() {
		}
		out = packet.AppendPublish(out[:0], packet.V5, &m)
		out = packet.AppendSuback(out, packet.V5, 1, reasons)
		out = packet.AppendPuback(out, packet.V5, packet.Puback{ID: 1})
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkPublish(b *testing.B) {
	in := raw(b, "3210 0001 'a' 0001 0a 09 0007 '1234567'")
	out := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		var m packet.Publish
		p, _, _ := packet.Split(in, 0)
		if err := packet.ParsePublish(p, packet.V5, &m); err != nil {
			b.Fatal(err)
		}
		out = packet.AppendPublish(out[:0], packet.V5, &m)
	}
}
