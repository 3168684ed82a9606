package oracle

import (
	"bytes"
	"math/rand/v2"
	"testing"

	paho "github.com/eclipse/paho.golang/packets"

	"jobgate/gateway/jobs/mqtt/packet"
)

// TestPaho: paho, which supports only MQTT 5, reads our random packets and writes them again; our codec reads the same from
// its output.
func TestPaho(t *testing.T) {
	for seed := range uint64(20000) {
		g := generator{rand.New(rand.NewPCG(seed, 2)), packet.V5}
		raw := g.packet()
		if len(raw) == 2 {
			continue // a DISCONNECT without a reason, which paho reports as EOF
		}
		control, err := paho.ReadPacket(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("seed %d: paho refuses %x: %v", seed, raw, err)
		}
		var again bytes.Buffer
		if _, err := control.WriteTo(&again); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if p, _, err := packet.Split(raw, 0); err == nil && (p.Type == packet.SUBACK || p.Type == packet.UNSUBACK) {
			continue // servers do not read these
		}
		_, _, err = parse(again.Bytes(), packet.V5)
		if err != nil {
			t.Fatalf("seed %d: ours refuses paho's encoding of %x, %x: %v", seed, raw, again.Bytes(), err)
		}
		pk, err := decode(again.Bytes(), packet.V5)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		_, one, _ := parse(raw, packet.V5)
		compare(t, "what paho wrote", one, pk)
	}
}
