package mqtt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"

	"jobgate/bench/peers/process"
	"jobgate/bench/peers/setup"
)

// Word is the first argument of this program when it runs MQTT clients. The second is a peer as JSON.
const Word = "mqtt-peer"

// peer has one of the two set.
type peer struct {
	Load *Load `json:",omitempty"`
	Hold *Hold `json:",omitempty"`
}

// RunPeer runs such a process; text is its peer as JSON.
func RunPeer(text string) error {
	var what peer
	if err := json.Unmarshal([]byte(text), &what); err != nil {
		return err
	}
	if what.Load != nil {
		return what.Load.Run(os.Stdout)
	}
	if _, err := process.RaiseFiles(uint64(what.Hold.Connections) + process.SpareFiles); err != nil {
		return err
	}
	return what.Hold.Run(os.Stdin, os.Stdout)
}

// command returns the command of such a process on the load's core.
func (p peer) command(ctx context.Context, o *setup.Options) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, "taskset", "-c", strconv.Itoa(o.LoadCore), self, Word, string(text)), nil
}

// play runs a load in a process of its own.
func play(ctx context.Context, o *setup.Options, l Load) (r Loaded, err error) {
	cmd, err := peer{Load: &l}.command(ctx, o)
	if err != nil {
		return r, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("the load over MQTT: %w\n%s", err, &stderr)
	}
	return r, json.Unmarshal(text, &r)
}

// holder is a process that holds connections.
type holder struct {
	Hold
	*process.Held
	orders  *json.Encoder
	answers *json.Decoder
}

// hold opens connections and keeps them. It returns when all are open.
func hold(ctx context.Context, o *setup.Options, what Hold) (*holder, error) {
	cmd, err := peer{Hold: &what}.command(ctx, o)
	if err != nil {
		return nil, err
	}
	held, err := process.Hold(cmd)
	if err != nil {
		return nil, err
	}
	h := &holder{what, held, json.NewEncoder(held.Input), json.NewDecoder(held.Output)}
	var n int
	if err := h.answer(&n); err != nil {
		return nil, err
	}
	return h, nil
}

// answer reads the process's next answer.
func (h *holder) answer(out any) error {
	if err := h.answers.Decode(out); err != nil {
		_ = h.Input.Close()
		return errors.Join(fmt.Errorf("the connections over MQTT: %w", err), h.Wait(), errors.New(h.Stderr()))
	}
	return nil
}

// holders are several such processes.
type holders []*holder

func (all holders) stop() {
	for _, h := range all {
		h.Stop()
	}
}

// expect lets the devices wait for a job whose id has this prefix; "": for no job.
func (all holders) expect(id string) error {
	for _, h := range all {
		var n int
		if err := errors.Join(h.orders.Encode(order{Expect: id}), h.answer(&n)); err != nil {
			return err
		}
	}
	return nil
}

// collect waits until all devices were notified, at most some seconds, and returns the time of each notice.
func (all holders) collect(seconds int) (at []int64, err error) {
	for _, h := range all {
		if err := h.orders.Encode(order{Collect: h.Connections, Seconds: seconds}); err != nil {
			return nil, err
		}
	}
	for _, h := range all {
		var times []int64
		if err := h.answer(&times); err != nil {
			return nil, err
		}
		at = append(at, times...)
	}
	return at, nil
}

// notifyLimit is the maximum time in seconds to wait until all devices are notified.
const notifyLimit = 60

// collectAll waits until all devices were notified and returns the times in order. It is an error if some were not.
func (all holders) collectAll() ([]int64, error) {
	at, err := all.collect(notifyLimit)
	if err != nil {
		return nil, err
	}
	slices.Sort(at)
	if late, _ := slices.BinarySearch(at, 1); late > 0 {
		return nil, fmt.Errorf("%d of %d devices were not notified within %d s", late, len(at), notifyLimit)
	}
	return at, nil
}
