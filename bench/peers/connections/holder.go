package connections

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"jobgate/bench/peers/certificates"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/setup"
)

// Word is the first argument of this program when it holds idle connections until its input ends. The second is a holding
// as JSON. It runs as a separate process because of the limit on open files.
const Word = "hold-peer"

// holding describes the connections of one such process.
type holding struct {
	Port, Connections int
	TLS               bool
	Folder            string        // of the devices' authority; "": no certificates
	Every             time.Duration // interval of each connection's requests; 0: one request only
	Uncounted         time.Duration // answers in this time from the start are not counted
	Flood             bool          // a flood (see flood), opened over Every
	Again             time.Duration // of a flood: from a connection's closing until it is reopened
	First             int           // number of the first connection, which determines its source address
}

// held is the report of such a process when it ends.
type held struct {
	Answers, Failed int64
	P50, P99        time.Duration
	Opened, Refused int64 // of a flood: connections opened, and connections refused
}

// holder is such a process as its parent sees it.
type holder struct{ *process.Held }

// holdConnections starts a process that opens connections, sends a request on each, and keeps them open. It returns when
// all are open.
func holdConnections(ctx context.Context, o *setup.Options, what holding) (*holder, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	args := []string{"taskset", "-c", fmt.Sprint(o.LoadCore), self, Word, string(text)}
	if what.Flood { // it shares its core with the devices, whose latency is measured
		args = append([]string{"nice", "-n", "19"}, args...)
	}
	h, err := process.Hold(exec.CommandContext(ctx, args[0], args[1:]...))
	if err != nil {
		return nil, err
	}
	if _, err := h.Output.ReadString('\n'); err != nil { // the process has exited
		h.Stop()
		return nil, fmt.Errorf("the idle connections: %w\n%s", err, h.Stderr())
	}
	return &holder{h}, nil
}

// end stops the requests, closes the connections and returns the report.
func (h *holder) end() (r held, err error) {
	if err := h.Input.Close(); err != nil {
		return r, err
	}
	err = json.NewDecoder(h.Output).Decode(&r)
	return r, errors.Join(err, h.Wait())
}

// RunHolder runs such a process; text is its holding as JSON.
func RunHolder(text string) error {
	var what holding
	if err := json.Unmarshal([]byte(text), &what); err != nil {
		return err
	}
	if _, err := process.RaiseFiles(uint64(what.Connections) + process.SpareFiles); err != nil {
		return err
	}
	var conns []net.Conn
	if !what.Flood {
		var err error
		if conns, err = what.open(context.Background()); err != nil {
			return err
		}
	}
	fmt.Println(len(conns))
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // an error ends the process as well
		cancel()
	}()
	if what.Flood {
		return json.NewEncoder(os.Stdout).Encode(what.flood(ctx))
	}
	return json.NewEncoder(os.Stdout).Encode(what.ask(ctx, conns))
}

// open opens the connections and sends a request on each.
func (h *holding) open(ctx context.Context) ([]net.Conn, error) {
	var devices *certificates.Authority
	if h.Folder != "" {
		var err error
		if devices, err = certificates.ReadAuthority(h.Folder); err != nil {
			return nil, err
		}
	}
	conns := make([]net.Conn, h.Connections)
	slots := make(chan struct{}, 64)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for i := range conns {
		slots <- struct{}{}
		mu.Lock()
		stop := failed != nil
		mu.Unlock()
		if stop || ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			c, err := h.connect(ctx, devices, i)
			conns[i] = c
			if err != nil {
				mu.Lock()
				failed = fmt.Errorf("connection %d: %w", i+1, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return conns, errors.Join(failed, ctx.Err())
}

// connect opens the i-th connection and sends a request on it. It keeps only the connection; the rest is garbage.
func (h *holding) connect(ctx context.Context, devices *certificates.Authority, i int) (net.Conn, error) {
	c, err := process.FromSource(h.First+i).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", h.Port))
	if err != nil {
		return nil, err
	}
	if h.TLS {
		config := &tls.Config{InsecureSkipVerify: true} // the certificate was made for this run
		if devices != nil {
			certificate, err := devices.Issue(fmt.Sprintf("device-%d", i))
			if err != nil {
				return c, err
			}
			config.Certificates = []tls.Certificate{certificate}
		}
		c = tls.Client(c, config)
	}
	return c, askOnce(c)
}

// askOnce sends a request on a connection and requires a 200.
func askOnce(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "GET /hot HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 4096), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return errors.Join(err, c.SetDeadline(time.Time{}))
}

// askers limits how many connections wait for answers at once.
const askers = 64

// ask sends a request on each connection once per interval, evenly spread, until ctx ends. Without an interval it only
// waits for ctx.
func (h *holding) ask(ctx context.Context, conns []net.Conn) (r held) {
	if h.Every == 0 {
		<-ctx.Done()
		return r
	}
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	begun := time.Now()
	for first := range min(askers, len(conns)) {
		wg.Go(func() {
			for i := first; ; i += askers {
				due := begun.Add(time.Duration(float64(h.Every) * float64(i) / float64(len(conns))))
				if process.Sleep(ctx, time.Until(due)) != nil {
					return
				}
				sent := time.Now()
				err := askOnce(conns[i%len(conns)])
				mu.Lock()
				if err == nil && time.Since(begun) > h.Uncounted {
					took = append(took, time.Since(sent))
				} else if err != nil {
					r.Failed++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	if n := len(took); n > 0 {
		r.Answers, r.P50, r.P99 = int64(n), took[n/2], took[n*99/100]
	}
	return r
}
